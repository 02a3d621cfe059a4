"""The compiled kernels on NumPy arrays: float64, float32 and float16 under every built-in mapping; bfloat16 as its bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.backends.extension import EXTENSION
from lastlayer.backends.memory import LARGE, new_array
from lastlayer.losses import LossOptions, reduce_total
from lastlayer.mappings import ProbabilityMapping

Array = Any

_kernels = EXTENSION
_INSTRUCTION_SET: str | None = _kernels.instruction_set() if _kernels else None

#: The mappings that have a kernel, and its number.
KERNELS: dict[str, int] = {name: i for i, name in enumerate(_kernels.MAPPINGS)} if _kernels else {}
QUANTITIES = {"probabilities": 0, "log_probabilities": 1, "log_partition": 2}


def instruction_set() -> str | None:
    """The instruction set that the kernels run on; None if the package was built without them."""
    return _INSTRUCTION_SET


def kernel_name() -> str:
    """What `lastlayer config` calls the kernels."""
    return f"native {_INSTRUCTION_SET}"


def num_threads() -> int:
    """How many threads the kernels may use. The portable formulas run on the caller's thread."""
    return int(_kernels.num_threads()) if _kernels else 1


def set_num_threads(n: int) -> None:
    """Set the number of threads of the kernels, if there are any; `num_threads` then returns what they accepted."""
    if _kernels:
        _kernels.set_num_threads(min(n, 2**31 - 1))


def has_kernel(mapping: ProbabilityMapping) -> bool:
    """Whether the kernels serve every quantity of a mapping, whatever its parameter."""
    # A user's record may carry a built-in name: only our formulas have our kernels.
    return mapping.name in KERNELS and mapping.is_built_in


def is_apart(out: Array, *others: Array | None) -> bool:
    """Whether `out` shares no memory with any of the others."""
    return not any(other is not None and np.may_share_memory(out, other) for other in others)


def native_evaluate(mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None) -> Array:
    """A quantity of every row, written straight into `out` if its layout allows."""
    rows = scores if _is_by_columns(scores) else _rows(scores)
    shape = scores.shape[:-1] if quantity == "log_partition" else scores.shape
    known = _kernel_of(mapping, scores)
    result = _target(out, scores, rows, shape, (known[2],))
    flat = result.reshape(rows.shape[: result.ndim - scores.ndim + 2])
    is_bfloat16 = rows.dtype == np.uint16
    _kernels.evaluate(_buffer(rows), _buffer(flat), QUANTITIES[quantity], *known, is_bfloat16)
    return result


def native_loss(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Array | None = None,
    gradient_scale: float = 1.0,
) -> tuple[Any, Array | None]:
    """The reduced loss and its gradient in one pass. `gradient_scale` multiplies the gradient, except that of a mean."""
    rows = scores if _is_by_columns(scores) else _rows(scores)
    is_single = is_soft and targets.dtype == np.float32
    soft = _rows(targets, np.float32 if is_single else np.float64) if is_soft else None
    labels = None if is_soft else _flat(targets, np.int64)
    known, shape = _kernel_of(mapping, scores), scores.shape[:-1]
    others = (soft, labels, options.weight, options.sample_weight, known[2])
    gradient = _target(out, scores, rows, scores.shape, others) if with_gradient else None
    place = None if gradient is None else gradient.reshape(rows.shape)
    return loss_of_rows(rows, labels, soft, place, options, known, shape, gradient_scale), gradient


def loss_of_rows(
    rows: Array,
    labels: Array | None,
    soft: Array | None,
    gradient: Array | None,
    options: LossOptions,
    kernel: tuple[int, float, Array | None],
    shape: tuple[int, ...],
    gradient_scale: float = 1.0,
    refuses_bad_labels: bool = False,
) -> Any:
    """The reduced loss of contiguous rows; the gradient is written. None, with nothing written, if it refuses a label."""
    losses = np.empty(len(rows)) if len(rows) < LARGE // 8 else new_array((len(rows),), np.float64)
    is_single = soft is not None and soft.dtype == np.float32
    arguments: list[Any] = [
        _buffer(rows),
        labels,
        None if is_single else soft,
        soft if is_single else None,
        losses,
        None if gradient is None else _buffer(gradient),
        _flat(options.weight, np.float64),
        _flat(options.sample_weight, np.float64),
        # A softcap of 0 is none.
        *[0.0 if value is None else value for value in options.numbers()],
        None if options.reduction == "mean" else gradient_scale,
        *kernel,
        rows.dtype == np.uint16,
        refuses_bad_labels,
    ]
    sums = _kernels.loss(*arguments)
    if sums is None:
        return None
    dtype = np.float64 if rows.dtype == np.float64 else np.float32
    if options.reduction == "none":
        return _rounded(losses.reshape(shape), dtype)
    reduced = reduce_total(*sums, options.reduction)
    return tuple(_rounded(part, dtype) for part in reduced) if isinstance(reduced, tuple) else _rounded(reduced, dtype)


def _rounded(values: Any, dtype: Any) -> Array:
    """Losses in their dtype; one beyond float32 becomes infinite without a warning."""
    if dtype == np.float64 or (type(values) is float and (abs(values) < 3e38 or values != values)):
        return np.asarray(values, dtype=dtype)
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=dtype)


def _kernel_of(mapping: ProbabilityMapping, scores: Array) -> tuple[int, float, Array | None]:
    """The kernel's number, its parameter, and one parameter per row if the mapping has an array there."""
    value = mapping.parameter
    if value is None or isinstance(value, (int, float)):
        return KERNELS[mapping.name], float(value or 0.0), None
    return KERNELS[mapping.name], 0.0, _flat(np.broadcast_to(np.asarray(value), scores.shape[:-1]), np.float64)


def _is_by_columns(array: Array) -> bool:
    """A matrix stored class by class (Fortran order), which the kernels transpose by themselves."""
    flags = array.flags
    return array.ndim == 2 and array.itemsize > 2 and flags.f_contiguous and not flags.c_contiguous and flags.aligned


def _contiguous(array: Array, dtype: Any) -> Array:
    """The array in C order, aligned and of this dtype; copied only if it is not."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    copy = new_array(array.shape, dtype)
    copy[...] = array
    return copy


def _rows(array: Array, dtype: Any = None) -> Array:
    """(N, K) with contiguous classes; copied only if dtype or layout require it."""
    return _contiguous(array, array.dtype if dtype is None else dtype).reshape(-1, array.shape[-1])


def _flat(array: Array | None, dtype: Any) -> Array | None:
    return None if array is None else _contiguous(array, dtype).reshape(-1)


def _target(
    out: Array | None, scores: Array, rows: Array, shape: tuple[int, ...], others: tuple[Array | None, ...]
) -> Array:
    """`out` if the kernels may write there, else a new array.

    They may if it is contiguous and shares memory with nothing that they read, unless it is the scores themselves.
    """
    is_by_columns = _is_by_columns(rows) and len(shape) == 2
    if out is not None and out.flags.aligned and out.dtype.isnative:
        has_layout = _is_by_columns(out) if is_by_columns else out.flags.c_contiguous
        is_same = out.ctypes.data == rows.ctypes.data and out.nbytes == rows.nbytes
        if has_layout and (is_same or is_apart(out, rows)) and is_apart(out, *others):
            return out
    return new_array(shape[::-1], scores.dtype).T if is_by_columns else new_array(shape, scores.dtype)


def _buffer(array: Array) -> Array:
    """What the kernels take: half types as their bits; bfloat16 arrives as bits."""
    return array.view(np.uint16) if array.dtype.itemsize == 2 else array
