"""Integer labels or soft targets as one dense row of targets per row of scores, with the weight of each row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lastlayer.losses.options import LossOptions
from lastlayer.mappings.record import device_of

Array = Any
Namespace = Any


class Targets(NamedTuple):
    """Targets y of shape (..., K). Per row: whether it counts, its weight, and its share of the mean's denominator."""

    y: Array
    #: y after label smoothing and before class weights.
    smoothed: Array
    is_counted: Array
    row_weight: Array
    denominator: Array


def dense_targets(targets: Array, is_soft: bool, scores: Array, options: LossOptions, xp: Namespace) -> Targets:
    """The targets in the dtype of the scores. A label out of range makes its row NaN and is never used as an index."""
    classes = scores.shape[-1]
    zero_rows = xp.zeros(scores.shape[:-1], dtype=scores.dtype, device=device_of(scores))
    one_rows = zero_rows + 1.0
    if is_soft:
        y = xp.astype(targets, scores.dtype)
        is_counted = zero_rows == 0.0
        class_weight = one_rows
    else:
        is_counted = targets != options.ignore_index
        y = xp.astype(targets[..., None] == xp.arange(classes, device=device_of(targets)), scores.dtype)
        is_bad = is_counted & ((targets < 0) | (targets >= classes))
        y = xp.where(is_bad[..., None], xp.full_like(y, float("nan")), y)
        class_weight = one_rows if options.weight is None else _class_weight(y, options.weight, xp)
    row_weight = one_rows
    if options.sample_weight is not None:
        row_weight = xp.astype(options.sample_weight, scores.dtype)
        is_counted = is_counted & (row_weight != 0)
    smoothing = options.label_smoothing
    smoothed = y * (1.0 - smoothing) + smoothing / classes if smoothing else y
    # As in torch: the mean over labels divides by the class weights of the labels, the mean over soft targets does not.
    denominator = xp.where(is_counted, row_weight * class_weight, zero_rows)
    return Targets(y, smoothed, is_counted, row_weight, denominator)


def _class_weight(y: Array, weight: Array, xp: Namespace) -> Array:
    """Σ_c w_c y_c per row."""
    return xp.sum(xp.where(y != 0, y * xp.astype(weight, y.dtype), xp.zeros_like(y)), axis=-1)


def plain_labels(labels: Array, ignore_index: int, xp: Namespace) -> Array:
    """Labels of any integer dtype as int64, or as int32 if the library has no int64. Values never wrap around.

    In a narrower dtype `ignore_index` and the number of classes would wrap: −100 becomes 156 in uint8.
    """
    if labels.dtype == xp.int64:
        return labels
    if str(labels.dtype).endswith("uint64") or not _has_int64(xp):
        return fold_into(xp.int64 if _has_int64(xp) else xp.int32, labels, ignore_index, xp)
    return xp.astype(labels, xp.int64)


def fold_into(dtype: Any, labels: Array, ignore_index: int, xp: Namespace) -> Array:
    """Labels in a signed dtype. A value that it cannot represent becomes a label that is out of range and not ignored.

    Raises:
        ValueError: `ignore_index` does not fit into the dtype either.
    """
    bounds, given = xp.iinfo(dtype), xp.iinfo(labels.dtype)
    if not bounds.min <= ignore_index <= bounds.max:
        raise ValueError(f"ignore_index is {ignore_index}; labels have {bounds.bits} bits here: give a smaller one.")
    folded = xp.astype(labels, dtype)
    if given.bits > bounds.bits:
        is_outside = (labels > bounds.max) | (labels < bounds.min)
    elif given.bits == bounds.bits and given.min == 0:
        # An unsigned value that does not fit becomes negative in the cast. (torch cannot compare uint64.)
        is_outside = folded < 0
    else:
        return folded
    return xp.where(is_outside, xp.full_like(folded, -1 if ignore_index != -1 else -2), folded)


def _has_int64(xp: Namespace) -> bool:
    return "int64" in xp.__array_namespace_info__().dtypes(kind="signed integer")


def check_labels(labels: Array, classes: int, ignore_index: int, xp: Namespace) -> None:
    """Raise IndexError for the first label outside 0..classes − 1 that is not `ignore_index`; any integer dtype."""
    plain = plain_labels(labels, ignore_index, xp)
    is_bad = (plain != ignore_index) & ((plain < 0) | (plain >= classes))
    if bool(xp.any(is_bad)):
        place = _first(is_bad, xp)
        label = labels[place]
        # int() of a torch tensor fails beyond int64; item() does not.
        shown = label.item() if hasattr(label, "item") else int(label)
        raise IndexError(
            f"label {shown} at position {_in_words(place)} is outside 0..{classes - 1} for {classes} classes; "
            f"correct it, or mark rows to leave out with ignore_index={ignore_index}."
        )


#: How far the sum of a row may be from 1. Rounding to bfloat16 moves it by at most 2⁻⁸; twice that leaves room for one more
#: operation in a half type, such as mix-up or smoothing. It is the same for every dtype, since a cast to a wider type keeps
#: the values.
TOLERANCE = 2.0**-7
#: The largest error of float16 per class: half its smallest subnormal.
TOLERANCE_PER_CLASS = 2.0**-25
#: The tolerance for any number of classes: small enough to reject rows of zeros, rows of sum 2, and unnormalized scores.
LARGEST_TOLERANCE = 0.25


def check_soft_targets(
    targets: Array, xp: Namespace, is_counted: Array | None = None, is_strict: bool = True, axis: str = "axis=-1"
) -> None:
    """Raise ValueError for soft targets (..., K) that are negative, NaN, or whose rows do not sum to one.

    Args:
        targets: floats of any dtype; only their values are tested, with one tolerance.
        xp: their namespace.
        is_counted: (...) the rows to check; None means all.
        is_strict: whether rows must sum to one.
        axis: the class axis in the caller's array, for the message.
    """
    if 0 in targets.shape:
        return
    with np.errstate(all="ignore"):
        # If any target is NaN, the minimum is NaN and the comparison is false.
        if not bool(xp.min(targets) >= 0):
            is_bad = ~(targets >= 0)
            is_bad = is_bad if is_counted is None else is_bad & is_counted[..., None]
            if bool(xp.any(is_bad)):
                place = _first(is_bad, xp)
                where = f"class {place[-1]}" + (f" of row {_in_words(place[:-1])}" if place[:-1] else "")
                raise ValueError(
                    f"soft target {float(targets[place]):g} of {where} is not a probability; give numbers ≥ 0."
                )
        if not is_strict:
            return
        tolerance = min(TOLERANCE + TOLERANCE_PER_CLASS * targets.shape[-1], LARGEST_TOLERANCE)
        sums = xp.sum(targets, axis=-1, dtype=xp.float64 if targets.dtype == xp.float64 else xp.float32)
        is_bad = ~(xp.abs(sums - 1.0) <= tolerance)
    is_bad = is_bad if is_counted is None else is_bad & is_counted
    if bool(xp.any(is_bad)):
        place = _first(is_bad, xp)
        which = f" of row {_in_words(place)}" if place else ""
        raise ValueError(
            f"the soft targets{which} sum to {float(sums[place]):.9g}; they must sum to 1: "
            f"divide them by targets.sum({axis}, keepdims=True)."
        )


def _first(mask: Array, xp: Namespace) -> tuple[int, ...]:
    """The index of the first True in the mask."""
    if mask.ndim == 0:
        return ()
    index = int(xp.argmax(xp.astype(xp.reshape(mask, (-1,)), xp.int32)))
    place = []
    for size in reversed(mask.shape):
        index, at = divmod(index, size)
        place.append(at)
    return tuple(reversed(place))


def _in_words(place: tuple[int, ...]) -> str:
    return str(place[0]) if len(place) == 1 else str(place)
