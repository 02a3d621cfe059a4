"""Integer labels or soft targets → one dense row of targets a row of scores, and how much each row counts."""

from __future__ import annotations

from typing import Any, NamedTuple

from lastlayer.losses.options import LossOptions

Array = Any
Namespace = Any


class Targets(NamedTuple):
    """Targets y of shape (..., K), and per row whether it counts, what it weighs, and its part of the mean's denominator."""

    y: Array
    #: Smoothed y; what the losses see before class weights.
    smoothed: Array
    is_counted: Array
    row_weight: Array
    denominator: Array


def dense_targets(targets: Array, is_soft: bool, scores: Array, options: LossOptions, xp: Namespace) -> Targets:
    """The targets in the scores' dtype. A label out of range makes its row NaN and is never used as an index."""
    classes = scores.shape[-1]
    zero_rows = xp.zeros(scores.shape[:-1], dtype=scores.dtype, device=_device(scores))
    one_rows = zero_rows + 1.0
    if is_soft:
        y = xp.astype(targets, scores.dtype)
        is_counted = zero_rows == 0.0
        class_weight = one_rows
    else:
        is_counted = targets != options.ignore_index
        y = xp.astype(targets[..., None] == xp.arange(classes, device=_device(targets)), scores.dtype)
        is_bad = is_counted & ((targets < 0) | (targets >= classes))
        y = xp.where(is_bad[..., None], xp.full_like(y, float("nan")), y)
        class_weight = one_rows if options.weight is None else _weigh(y, options.weight, xp)
    row_weight = one_rows
    if options.sample_weight is not None:
        row_weight = xp.astype(options.sample_weight, scores.dtype)
        is_counted = is_counted & (row_weight != 0)
    smoothing = options.label_smoothing
    smoothed = y * (1.0 - smoothing) + smoothing / classes if smoothing else y
    # As in torch: the mean over labels divides by the weights of the labels, the mean over soft targets by the rows.
    denominator = xp.where(is_counted, row_weight * class_weight, zero_rows)
    return Targets(y, smoothed, is_counted, row_weight, denominator)


def _weigh(y: Array, weight: Array, xp: Namespace) -> Array:
    """Σ_c w_c y_c per row."""
    return xp.sum(xp.where(y != 0, y * xp.astype(weight, y.dtype), xp.zeros_like(y)), axis=-1)


def _device(x: Array) -> Any:
    return getattr(x, "device", None)


def check_labels(labels: Array, classes: int, ignore_index: int, xp: Namespace) -> None:
    """Raise IndexError for the first label outside 0..classes − 1 that is not `ignore_index`."""
    is_bad = (labels != ignore_index) & ((labels < 0) | (labels >= classes))
    if bool(xp.any(is_bad)):
        place, value = _first(is_bad, labels, xp)
        raise IndexError(
            f"label {int(value)} at {place} is outside 0..{classes - 1} for {classes} classes; "
            f"correct it, or mark rows to leave out with ignore_index={ignore_index}."
        )


def check_soft_targets(targets: Array, xp: Namespace) -> None:
    """Raise ValueError for soft targets that are negative, NaN, or whose rows do not sum to one."""
    if 0 in targets.shape:
        return
    # A NaN is the smallest.
    if not bool(xp.min(targets) >= 0):
        place, value = _first(~(targets >= 0), targets, xp)
        raise ValueError(f"soft target {float(value)} at {place} is not a probability; soft targets must be ≥ 0.")
    tolerance = max(1e-6, targets.shape[-1] ** 0.5 * float(xp.finfo(targets.dtype).eps))
    # Most targets pass in their own precision, in which libraries sum many times faster.
    if targets.dtype == xp.float32 and not bool(xp.any(~(xp.abs(xp.sum(targets, axis=-1) - 1.0) <= tolerance / 2))):
        return
    sums = xp.sum(xp.astype(targets, xp.float64), axis=-1)
    is_off = xp.abs(sums - 1.0) > tolerance
    if bool(xp.any(is_off)):
        place, value = _first(is_off, sums, xp)
        raise ValueError(f"the soft targets of row {place} sum to {float(value):.9g}; normalise them to sum to 1.")


def _first(mask: Array, values: Array, xp: Namespace) -> tuple[str, Any]:
    """Where the mask first holds, in words, and the value there."""
    if mask.ndim == 0:
        return "position ()", values
    index = int(xp.argmax(xp.astype(xp.reshape(mask, (-1,)), xp.int32)))
    place = []
    for size in reversed(mask.shape):
        index, at = divmod(index, size)
        place.append(at)
    place.reverse()
    return f"position {place[0] if len(place) == 1 else tuple(place)}", values[tuple(place)]
