"""A table from a Parquet file, read a few columns at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.frames import check_names
from lastlayer.evaluation.read.sources import NamedArrays, Table

#: Numbers that are read at a time.
_BATCH = 1 << 21


def open_parquet(path: Path) -> Table | NamedArrays:
    """The columns of a file, or its arrays if a column holds one list of numbers per row.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no Parquet file, or two columns share a name.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema, n = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        # Arrow raises OSError without a number for a damaged footer.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise EvaluationError(
            f"{path.name} is no readable Parquet file; write it again, or save the table as .csv."
        ) from error
    columns = tuple(map(str, schema.names))
    check_names(columns, path.name)
    if any(_is_list(kind) for kind in schema.types):
        return NamedArrays(path.name, columns, lambda name: _column(path, name))
    return Table(
        path.name,
        columns,
        True,
        lambda indices: _numbers(path, [schema.field(i) for i in indices], n),
        lambda i: _column(path, columns[i]),
    )


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _numbers(path: Path, fields: Sequence[Any], n: int) -> np.ndarray:
    """(n, columns) numbers, written into one array a few columns at a time."""
    for field in fields:
        if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
            raise EvaluationError(
                f"The column {field.name!r} of {path.name} holds {field.type}, no numbers; keep one column of numbers per class, and "
                "name the labels’ column with target (--target)."
            )
    # Integers with missing cells are floats for NumPy.
    is_float = all(pa.types.is_floating(field.type) for field in fields)
    dtype = np.result_type(*(field.type.to_pandas_dtype() for field in fields)) if is_float else np.float64
    array = np.empty((n, len(fields)), dtype)
    names = [field.name for field in fields]
    # A few columns at a time: a batch of rows would keep all columns of its row group, which may be the whole file.
    step = max(1, _BATCH // max(n, 1))
    with _reading(path) as file:
        for first in range(0, len(names), step):
            table = file.read(columns=names[first : first + step])
            for i, name in enumerate(names[first : first + step], first):
                array[:, i] = table[name].to_numpy()
    return array


def _column(path: Path, name: str) -> np.ndarray:
    with _reading(path) as file:
        column = file.read(columns=[name])[name]
    if not _is_list(column.type):
        cells: np.ndarray = column.to_pandas().to_numpy()
        return cells
    flat = column.combine_chunks()
    lengths = np.unique(np.asarray(flat.value_lengths() if hasattr(flat, "value_lengths") else flat.type.list_size))
    if column.null_count or len(lengths) != 1:
        raise EvaluationError(
            f"The lists of the column {name!r} of {path.name} differ in length; each row needs one per class."
        )
    return np.asarray(flat.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """The open file, with Arrow's errors as one sentence."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise EvaluationError(f"{path.name} is damaged; write it again, or save the table as .csv.") from error
