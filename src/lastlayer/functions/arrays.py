"""What callers give → an array with its backend. Lists, data frames and NumPy's subclasses become plain NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import array_api_compat.numpy
import numpy as np

from lastlayer.backends import NUMPY, Backend
from lastlayer.dispatch import backend_of

Array = Any
Namespace = Any

#: The dtypes of scores, soft targets and weights, by name: not every library's dtypes are the array-API standard's.
FLOATS = ("float16", "bfloat16", "float32", "float64")


def as_array(data: Any, what: str) -> tuple[Array, Backend]:
    """Data as an array with its backend; anything that is no array becomes a NumPy array.

    Subclasses of NumPy's arrays (memmap, matrix) are taken as the plain arrays that they hold, without a copy.

    Raises:
        TypeError: a masked array with masked entries, or an array of a layout that is not served (sparse, nested).
        ValueError: a ragged list, or a column with missing values.
    """
    backend = backend_of(data)
    if backend is None:
        return _native(_converted(data, what)), NUMPY
    if backend is not NUMPY:
        backend.check(data, what)
        return data, backend
    if type(data) is not np.ndarray:
        _refuse_mask(data, what)
        data = np.asarray(data)
    return _native(data), NUMPY


def dtype_name(array: Array) -> str:
    """The name of its dtype without its library: "float32"."""
    return str(array.dtype).rpartition(".")[2]


def is_integer(array: Array) -> bool:
    """Whether its dtype is an integer dtype, signed or not."""
    return dtype_name(array).startswith(("int", "uint"))


def look_at(array: Array, scores: Array) -> tuple[Array, Namespace] | None:
    """An argument as an array whose values may be read now, and its namespace; None if they may not.

    NumPy's view of the same memory if there is one: small checks on it take a fraction of the time, and while the scores are traced
    nothing becomes a part of the trace.
    """
    backend = backend_of(array)
    assert backend is not None
    if backend is NUMPY:
        compiler = backend_of(scores)
        is_compiling = compiler is not None and compiler.is_compiling()
        return None if is_compiling else (array, array_api_compat.numpy)
    if not backend.is_eager(array):
        return None
    view = backend.on_host(array)
    return (array, backend.namespace(array)) if view is None else (view, array_api_compat.numpy)


def move_axis(array: Array, source: int, destination: int, xp: Namespace) -> Array:
    """An array with one axis moved, by permute_dims: torch.func.vmap has no rule for moveaxis."""
    source, destination = source % array.ndim, destination % array.ndim
    if source == destination:
        return array
    order = [i for i in range(array.ndim) if i != source]
    order.insert(destination, source)
    return xp.permute_dims(array, tuple(order))


def _native(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _refuse_mask(array: np.ndarray, what: str) -> None:
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise TypeError(
            f"{what}: the masked entries of a masked array are not left out here; fill them: "
            "scores.filled(-np.inf) for classes without a chance, labels.filled(ignore_index) or "
            "sample_weight.filled(0) for rows that do not count."
        )


def _converted(data: Any, what: str) -> np.ndarray:
    if isinstance(data, (list, tuple)):
        for array in _arrays_in(data):
            _refuse_mask(array, what)
    columns = _columns(data)
    for column in columns:
        _refuse_missing(column, what)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{what} cannot be read as an array ({error}); give rows of equal length.") from error
    if array.dtype == object and array.ndim == 2 and columns:
        # A table of nullable or Arrow columns: each column gives numbers, the table as a whole objects.
        return np.column_stack([_converted(column, what) for column in columns])
    if array.dtype == object and (kind := getattr(getattr(data, "dtype", None), "numpy_dtype", None)) is not None:
        # Older pandas turns its nullable columns into objects.
        array = array.astype(kind)
    return array


def _arrays_in(data: list[Any] | tuple[Any, ...]) -> Iterator[np.ndarray]:
    """The NumPy arrays in nested lists."""
    # The first entry shows whether a list holds numbers.
    if data and isinstance(data[0], (list, tuple, np.ndarray)):
        for part in data:
            if isinstance(part, np.ndarray):
                yield part
            elif isinstance(part, (list, tuple)):
                yield from _arrays_in(part)


def _columns(data: Any) -> list[Any]:
    """The columns of a pandas, polars or Arrow table, a column itself, or nothing."""
    if not hasattr(data, "to_numpy") and not hasattr(data, "to_pandas"):
        return []
    if hasattr(data, "iloc") and data.ndim == 2:
        return [data.iloc[:, place] for place in range(data.shape[1])]
    columns = getattr(data, "columns", None)
    if columns is None:
        return [data]
    return [data[column] if isinstance(column, str) else column for column in columns]


def _refuse_missing(column: Any, what: str) -> None:
    """Refuse a null: it would become NaN, and the integers of its column floats. NaN itself is a float like any other."""
    ask = getattr(column, "is_null", None)
    if ask is None and not isinstance(getattr(column, "dtype", None), np.dtype):
        ask = getattr(column, "isna", None)
    missing = np.zeros(0, dtype=bool) if ask is None else np.asarray(ask(), dtype=bool)
    if missing.any():
        raise ValueError(
            f"{what}: missing value (null, NA) at position {int(missing.argmax())}; "
            "drop these rows, or fill them before."
        )
