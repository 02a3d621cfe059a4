"""Which rows count. A row that does not has loss 0 and gradient exactly 0, whatever its scores and whatever arrives from upstream."""

from __future__ import annotations

from typing import Any

from lastlayer.losses.options import LossOptions

Array = Any
Namespace = Any


def counted_rows(targets: Array, is_soft: bool, options: LossOptions, family: str, xp: Namespace) -> Array:
    """False for rows (...) whose label is ignored or whose weight is zero.

    The weight is the row's sample weight, and what the class weights leave of its target. In the log loss, every class that label
    smoothing reaches has its weight; a Fenchel–Young loss has that of its unsmoothed target. The z-loss of soft targets has no
    class weight. A label out of range counts.
    """
    # Made from the targets, so that it is sharded as they are.
    is_counted = xp.ones_like(targets[..., 0], dtype=xp.bool) if is_soft else targets != options.ignore_index
    is_spread = family == "normalized" and options.label_smoothing != 0
    if options.weight is not None and not is_spread and not (is_soft and options.z_loss):
        is_counted = is_counted & _has_class_weight(targets, is_soft, options.weight, xp)
    return is_counted if options.sample_weight is None else is_counted & (options.sample_weight != 0)


def _has_class_weight(targets: Array, is_soft: bool, weight: Array, xp: Namespace) -> Array:
    if is_soft:
        return xp.any(targets * weight != 0, axis=-1)
    last = weight.shape[0] - 1
    is_inside = (targets >= 0) & (targets <= last)
    # A label out of range is never used as an index.
    labels = xp.reshape(xp.where(is_inside, targets, xp.zeros_like(targets)), (-1,))
    return ~is_inside | (xp.reshape(xp.take(weight, labels, axis=0), targets.shape) != 0)
