"""The compiled kernels as an implementation: NumPy arrays of float64, float32 and float16 under every built-in mapping."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np

from lastlayer.dispatch.table import Implementation, Request
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS, ProbabilityMapping


def _load() -> Any:
    """The extension, None where the package was built without a C++ compiler. An extension that fails to load says why."""
    found = importlib.util.find_spec("lastlayer.kernels.native")
    # In a source tree the folder of the C++ sources answers to the name, without a file to load.
    return importlib.import_module("lastlayer.kernels.native") if found is not None and found.origin else None


_kernels = _load()
_INSTRUCTION_SET: str | None = _kernels.instruction_set() if _kernels else None

Array = Any

_DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "float16"))
#: The mappings that have a kernel, and its number.
_SERVED: dict[str, int] = {name: i for i, name in enumerate(_kernels.MAPPINGS)} if _kernels else {}
#: What a call by name alone passes on, for those of them that take every score: number and default parameter.
_UNCHECKED = {
    name: (i, float(next(iter(MAPPINGS[name].values.values()), 0.0)))
    for name, i in _SERVED.items()
    if MAPPINGS[name].domain.is_valid is None
}
_QUANTITIES = {"probabilities": 0, "log_probabilities": 1, "log_partition": 2}


def instruction_set() -> str | None:
    """The instruction set that the kernels run on, None where the package was built without them."""
    return _INSTRUCTION_SET


def num_threads() -> int:
    """The threads that the kernels may use; the portable formulas run on the caller's own."""
    return int(_kernels.num_threads()) if _kernels else 1


def set_num_threads(n: int) -> None:
    """Set the number of threads of the kernels, where there are any."""
    if _kernels:
        _kernels.set_num_threads(n)


def serves(scores: Array, request: Request) -> bool:
    """NumPy float64, float32 and float16 under a built-in record, whatever its parameters and the options."""
    mapping = request.mapping
    # A user's record may carry a built-in name: only our own formulas have our kernels.
    return (
        type(scores) is np.ndarray
        and scores.dtype in _DTYPES
        and mapping.name in _SERVED
        and mapping.evaluate is MAPPINGS[mapping.name].evaluate
    )


def evaluate_quickly(mapping: str, scores: Any, quantity: str) -> Array | None:
    """The result for plain arrays of a mapping without a domain to check, without a boundary's dozen questions; else None.

    An array of ten scores is computed in less time than it takes to ask them.
    """
    if type(scores) is not np.ndarray or scores.dtype not in _DTYPES[:2]:
        return None
    known = _UNCHECKED.get(mapping)
    if known is None or not scores.flags.carray or scores.size == 0 or scores.ndim == 0:
        return None
    result = np.empty(scores.shape, scores.dtype)
    _kernels.evaluate(scores, result, _QUANTITIES[quantity], *known)
    return result


def _rows(scores: Array) -> Array:
    """(N, K) with contiguous classes; copied only where the layout asks for it."""
    return np.require(scores.reshape(-1, scores.shape[-1]), requirements=["C", "A"])


def _target(out: Array | None, scores: Array, rows: Array, shape: tuple[int, ...]) -> Array:
    """`out` where the kernels may write there: contiguous, and nowhere on the scores unless it is them. Else a new array."""
    if out is None or not (out.flags.c_contiguous and out.flags.aligned and out.dtype.isnative):
        return np.empty(shape, dtype=scores.dtype)
    is_same = out.ctypes.data == rows.ctypes.data and rows.base is not None and out.nbytes == rows.nbytes
    if not is_same and np.may_share_memory(out, rows):
        return np.empty(shape, dtype=scores.dtype)
    return out


def _buffer(array: Array) -> Array:
    """What the kernels take: half types as their bits."""
    return array.view(np.uint16) if array.dtype.itemsize == 2 else array


def _mapping(mapping: ProbabilityMapping, scores: Array) -> tuple[int, float, Array | None]:
    """Its number, its parameter, and its parameters where there is one a row."""
    number, value = _SERVED[mapping.name], next(iter(mapping.values.values()), 0.0)
    if isinstance(value, (int, float)):
        return number, float(value), None
    return number, 0.0, _flat(np.broadcast_to(np.asarray(value), scores.shape[:-1]), np.float64)


def native_evaluate(mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None) -> Array:
    """A quantity of every row, straight into `out` where its layout allows."""
    rows = _rows(scores)
    shape = scores.shape[:-1] if quantity == "log_partition" else scores.shape
    result = _target(out, scores, rows, shape)
    flat = result.reshape(rows.shape[: result.ndim - scores.ndim + 2])
    _kernels.evaluate(_buffer(rows), _buffer(flat), _QUANTITIES[quantity], *_mapping(mapping, scores))
    return result


def native_loss(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Array | None = None,
) -> tuple[Any, Array | None]:
    """The loss, reduced, and its gradient, in one pass."""
    rows = _rows(scores)
    losses = np.empty(len(rows))
    gradient = _target(out, scores, rows, scores.shape) if with_gradient else None
    is_single = is_soft and targets.dtype == np.float32
    soft = _rows(np.asarray(targets, dtype=np.float32 if is_single else np.float64)) if is_soft else None
    total, denominator = _kernels.loss(
        _buffer(rows),
        None if is_soft else _flat(targets, np.int64),
        None if is_single else soft,
        soft if is_single else None,
        losses,
        None if gradient is None else _buffer(gradient.reshape(rows.shape)),
        _flat(options.weight, np.float64),
        _flat(options.sample_weight, np.float64),
        options.ignore_index,
        options.label_smoothing,
        options.z_loss,
        options.activation.temperature,
        options.activation.softcap or 0.0,
        options.reduction == "mean",
        *_mapping(mapping, scores),
    )
    losses = losses.reshape(scores.shape[:-1])
    dtype = np.float64 if scores.dtype == np.float64 else np.float32
    return _reduced(losses, total, denominator, options.reduction, dtype), gradient


def _flat(array: Array | None, dtype: Any) -> Array | None:
    return None if array is None else np.require(array, dtype=dtype, requirements=["C", "A"]).reshape(-1)


def _reduced(losses: Array, total: float, denominator: float, reduction: str, dtype: Any) -> Any:
    """The mean of nothing is 0; parts are (total, denominator)."""
    with np.errstate(over="ignore"):
        if reduction == "none":
            return losses.astype(dtype, copy=False)
        if reduction == "parts":
            return np.asarray(total, dtype=dtype), np.asarray(denominator, dtype=dtype)
        is_mean = reduction == "mean" and denominator != 0.0
        return np.asarray(total / denominator if is_mean else total, dtype=dtype)


NATIVE = (
    Implementation(
        name=f"native {_INSTRUCTION_SET}",
        description="NumPy float64, float32, float16: every built-in mapping and every loss option",
        serves=serves,
        evaluate=native_evaluate,
        loss=native_loss,
    )
    if _kernels
    else None
)
