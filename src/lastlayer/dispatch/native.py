"""The compiled kernels as an implementation: NumPy arrays of float64, float32 and float16 under every built-in mapping."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.dispatch.extension import EXTENSION
from lastlayer.dispatch.memory import LARGE, new_array
from lastlayer.dispatch.table import Implementation, Request
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS, ProbabilityMapping

_kernels = EXTENSION
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
    """Set the number of threads of the kernels, where there are any; they take at most what `num_threads` then says."""
    if _kernels:
        _kernels.set_num_threads(min(n, 2**31 - 1))


def serves(scores: Array, request: Request) -> bool:
    """NumPy float64, float32 and float16 under a built-in record, whatever its parameters and the options."""
    return type(scores) is np.ndarray and scores.dtype in _DTYPES and has_kernel(request.mapping)


def has_kernel(mapping: ProbabilityMapping) -> bool:
    """Whether the kernels serve every quantity of a mapping."""
    # A user's record may carry a built-in name: only our own formulas have our kernels.
    return mapping.name in _SERVED and mapping.evaluate is MAPPINGS[mapping.name].evaluate


def _is_plain(array: Any) -> bool:
    """A NumPy array that the kernels read where it lies."""
    return type(array) is np.ndarray and array.dtype in _DTYPES[:2] and array.flags.carray and array.size > 0


def _is_writable_for(out: Array, scores: Array, *others: Array | None) -> bool:
    """Whether the kernels may write straight into `out`: like the scores, and nowhere on what they read unless it is the scores."""
    is_like_scores = out is scores or (
        _is_plain(out) and out.dtype == scores.dtype and out.shape == scores.shape and _is_apart(out, scores)
    )
    return is_like_scores and _is_apart(out, *others)


def _is_apart(out: Array, *others: Array | None) -> bool:
    """Whether `out` shares no memory with any of the others."""
    return not any(other is not None and np.may_share_memory(out, other) for other in others)


def _known(mapping: Any, on_domain: str, seen: Array | None) -> tuple[int, float] | None:
    """Number and parameter of a mapping for which a glance at all that it will see is enough, or NaN rows were asked for."""
    if on_domain not in ("raise", "nan"):
        return None
    if isinstance(mapping, str):
        if (known := _UNCHECKED.get(mapping)) is not None:
            return known
        mapping = MAPPINGS.get(mapping)
    if not isinstance(mapping, ProbabilityMapping) or not has_kernel(mapping):
        return None
    if on_domain != "nan" and (seen is None or not mapping.domain.holds_at_a_glance(seen, np)):
        return None
    value = next(iter(mapping.values.values()), 0.0)
    return (_SERVED[mapping.name], float(value)) if isinstance(value, (int, float)) else None


def evaluate_quickly(
    mapping: str | ProbabilityMapping, scores: Any, quantity: str, on_domain: str, out: Array | None = None
) -> Array | None:
    """A quantity of plain rows that need no check, without a boundary's dozen questions; else None.

    An array of ten scores is computed in less time than it takes to ask them.
    """
    if not _is_plain(scores) or (known := _known(mapping, on_domain, scores)) is None:
        return None
    shape = scores.shape[:-1] if quantity == "log_partition" else scores.shape
    # A single number is no scores, or their log-partition.
    if not shape:
        return None
    if out is None:
        out = new_array(shape, scores.dtype)
    elif not _is_writable_for(out, scores):
        return None
    _kernels.evaluate(scores, out, _QUANTITIES[quantity], *known)
    return out


def loss_quickly(
    mapping: str | ProbabilityMapping,
    scores: Any,
    labels: Any,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
    out: Array | None,
) -> tuple[Any, Array | None] | None:
    """Loss and gradient of plain rows with good labels and row weights; None where there is more to ask, or an error to raise."""
    if not _is_plain(scores) or scores.ndim != 2:
        return None
    seen = scores if options.activation.is_identity else None
    if (known := _known(mapping, on_domain, seen)) is None:
        return None
    is_plain = type(labels) is np.ndarray and labels.dtype == np.int64 and labels.flags.carray
    if not is_plain or labels.shape != scores.shape[:1] or options.weight is not None:
        return None
    weight = options.sample_weight
    if weight is not None and not (
        _is_plain(weight)
        and weight.dtype == np.float64
        and weight.shape == labels.shape
        and weight.min() >= 0.0
        and weight.max() < float("inf")
    ):
        return None
    gradient = None
    if with_gradient:
        if out is not None and not _is_writable_for(out, scores, labels, weight):
            return None
        gradient = new_array(scores.shape, scores.dtype) if out is None else out
    value = _loss(scores, labels, None, gradient, options, known, scores.shape[:1], refuses_bad_labels=True)
    return None if value is None else (value, gradient)


def _is_by_columns(array: Array) -> bool:
    """A matrix whose rows of each class are contiguous, which the kernels read where it lies."""
    flags = array.flags
    return array.ndim == 2 and array.itemsize > 2 and flags.f_contiguous and not flags.c_contiguous and flags.aligned


def _contiguous(array: Array, dtype: Any) -> Array:
    """The array in one piece, aligned and of this dtype; copied only where it is not."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    copy = new_array(array.shape, dtype)
    copy[...] = array
    return copy


def _rows(array: Array, dtype: Any = None) -> Array:
    """(N, K) with contiguous classes; copied only where dtype or layout ask for it."""
    return _contiguous(array, array.dtype if dtype is None else dtype).reshape(-1, array.shape[-1])


def _target(
    out: Array | None, scores: Array, rows: Array, shape: tuple[int, ...], others: tuple[Array | None, ...]
) -> Array:
    """`out` where the kernels may write there, else a new array.

    They may where it is contiguous and shares memory with nothing that they read, unless it is the scores themselves.
    """
    is_by_columns = _is_by_columns(rows) and len(shape) == 2
    if out is not None and out.flags.aligned and out.dtype.isnative:
        has_layout = _is_by_columns(out) if is_by_columns else out.flags.c_contiguous
        is_same = out.ctypes.data == rows.ctypes.data and out.nbytes == rows.nbytes
        if has_layout and (is_same or _is_apart(out, rows)) and _is_apart(out, *others):
            return out
    return new_array(shape[::-1], scores.dtype).T if is_by_columns else new_array(shape, scores.dtype)


def _buffer(array: Array) -> Array:
    """What the kernels take: half types as their bits, as which bfloat16 comes."""
    return array.view(np.uint16) if array.dtype.itemsize == 2 else array


def _mapping(mapping: ProbabilityMapping, scores: Array) -> tuple[int, float, Array | None]:
    """Its number, its parameter, and its parameters where there is one a row."""
    number, value = _SERVED[mapping.name], next(iter(mapping.values.values()), 0.0)
    if isinstance(value, (int, float)):
        return number, float(value), None
    return number, 0.0, _flat(np.broadcast_to(np.asarray(value), scores.shape[:-1]), np.float64)


def native_evaluate(mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None) -> Array:
    """A quantity of every row, straight into `out` where its layout allows."""
    rows = scores if _is_by_columns(scores) else _rows(scores)
    shape = scores.shape[:-1] if quantity == "log_partition" else scores.shape
    known = _mapping(mapping, scores)
    result = _target(out, scores, rows, shape, (known[2],))
    flat = result.reshape(rows.shape[: result.ndim - scores.ndim + 2])
    is_bfloat16 = rows.dtype == np.uint16
    _kernels.evaluate(_buffer(rows), _buffer(flat), _QUANTITIES[quantity], *known, is_bfloat16)
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
    """The loss, reduced, and its gradient, in one pass; that of another loss than a mean may be scaled."""
    rows = scores if _is_by_columns(scores) else _rows(scores)
    is_single = is_soft and targets.dtype == np.float32
    soft = _rows(targets, np.float32 if is_single else np.float64) if is_soft else None
    labels = None if is_soft else _flat(targets, np.int64)
    known, shape = _mapping(mapping, scores), scores.shape[:-1]
    others = (soft, labels, options.weight, options.sample_weight, known[2])
    gradient = _target(out, scores, rows, scores.shape, others) if with_gradient else None
    place = None if gradient is None else gradient.reshape(rows.shape)
    return _loss(rows, labels, soft, place, options, known, shape, gradient_scale), gradient


def _loss(
    rows: Array,
    labels: Array | None,
    soft: Array | None,
    gradient: Array | None,
    options: LossOptions,
    mapping: tuple[Any, ...],
    shape: tuple[int, ...],
    gradient_scale: float = 1.0,
    refuses_bad_labels: bool = False,
) -> Any:
    """The loss of contiguous rows, reduced; its gradient is written. None, and nothing written, where it refuses a label."""
    losses = np.empty(len(rows)) if len(rows) < LARGE // 8 else new_array((len(rows),), np.float64)
    is_single = soft is not None and soft.dtype == np.float32
    sums = _kernels.loss(
        _buffer(rows),
        labels,
        None if is_single else soft,
        soft if is_single else None,
        losses,
        None if gradient is None else _buffer(gradient),
        _flat(options.weight, np.float64),
        _flat(options.sample_weight, np.float64),
        options.ignore_index,
        options.label_smoothing,
        options.z_loss,
        options.activation.temperature,
        options.activation.softcap or 0.0,
        None if options.reduction == "mean" else gradient_scale,
        mapping[0],
        mapping[1],
        mapping[2] if len(mapping) > 2 else None,
        rows.dtype == np.uint16,
        refuses_bad_labels,
    )
    if sums is None:
        return None
    total, denominator = sums
    dtype = np.float64 if rows.dtype == np.float64 else np.float32
    return _reduced(losses.reshape(shape), total, denominator, options.reduction, dtype)


def _flat(array: Array | None, dtype: Any) -> Array | None:
    return None if array is None else _contiguous(array, dtype).reshape(-1)


def _reduced(losses: Array, total: float, denominator: float, reduction: str, dtype: Any) -> Any:
    """The mean of nothing is 0; parts are (total, denominator)."""
    if reduction == "none":
        if dtype == np.float64:
            return losses
        with np.errstate(over="ignore"):
            return losses.astype(dtype)
    if reduction == "parts":
        return _rounded(total, dtype), _rounded(denominator, dtype)
    return _rounded(total / denominator if reduction == "mean" and denominator != 0.0 else total, dtype)


def _rounded(value: float, dtype: Any) -> Array:
    """A loss in its dtype; one beyond float32 becomes infinite without a warning."""
    if dtype == np.float64 or abs(value) < 3e38 or value != value:
        return np.asarray(value, dtype=dtype)
    with np.errstate(over="ignore"):
        return np.asarray(value, dtype=dtype)


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
