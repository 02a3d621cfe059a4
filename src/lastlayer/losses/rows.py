"""One loss a row, and its gradient in the scores: every option composed with every mapping, here and nowhere else."""

from __future__ import annotations

from typing import Any, NamedTuple

from lastlayer.losses.options import LossOptions
from lastlayer.losses.targets import Targets, dense_targets
from lastlayer.mappings import ProbabilityMapping

Array = Any
Namespace = Any


class RowLosses(NamedTuple):
    """Per row: its loss, its part of the mean's denominator; per score: the gradient of the row's loss, where asked for."""

    losses: Array
    denominators: Array
    gradient: Array | None


def row_losses(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    xp: Namespace,
    with_gradient: bool,
) -> RowLosses:
    """The losses of scores (..., K) of the working dtype.

    loss = row weight · (family's loss of the smoothed, weighted targets) + the row's part of the mean's denominator · z_loss · Z².
    Class weights enter the sum of the log loss as in torch; a Fenchel–Young loss is no sum over classes, so there they
    weigh the row by Σ w_c y_c of its unsmoothed targets. What has weight zero is zero, whatever the scores.
    """
    dense = dense_targets(targets, is_soft, scores, options, xp)
    activation = options.activation
    point = mapping.at(activation(scores, xp), xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    # A mean's z-loss must not depend on the scale of the class weights, so it is averaged with the weights of the mean.
    z_weight = dense.denominator
    has_targets = dense.is_counted & (factor != 0) & xp.any(y != 0, axis=-1)
    has_partition = dense.is_counted & (z_weight != 0)
    zero = xp.zeros_like(dense.row_weight)
    losses = xp.where(has_targets, factor * point.losses(y), zero)
    if options.z_loss:
        partition = point.log_partition()
        losses = losses + xp.where(has_partition, z_weight * (options.z_loss * partition * partition), zero)
    if not with_gradient:
        return RowLosses(losses, dense.denominator, None)
    gradient = _where_rows(has_targets, factor[..., None] * point.loss_gradient(y), xp)
    if options.z_loss:
        slope = z_weight * (2.0 * options.z_loss * partition)
        gradient = gradient + _where_rows(has_partition, _times(point.partition_gradient(), slope[..., None], xp), xp)
    gradient = activation.pull_back(scores, gradient, xp)
    is_counted = has_targets | has_partition if options.z_loss else has_targets
    return RowLosses(losses, dense.denominator, _where_rows(is_counted, gradient, xp))


def _where_rows(condition: Array, values: Array, xp: Namespace) -> Array:
    """The values of some rows, and zero in all others."""
    return xp.where(condition[..., None], values, xp.zeros_like(values))


def _times(slopes: Array, factor: Array, xp: Namespace) -> Array:
    """slopes · factor; zero where a slope is, though Z and with it the factor may be infinite."""
    return xp.where(slopes == 0, slopes, slopes * factor)


def weighted_targets(
    mapping: ProbabilityMapping, dense: Targets, options: LossOptions, xp: Namespace
) -> tuple[Array, Array]:
    """The targets that the loss sees and the factor of the row."""
    if options.weight is None:
        return dense.smoothed, dense.row_weight
    weight = xp.astype(options.weight, dense.y.dtype)
    if mapping.family == "normalized":
        return dense.smoothed * weight, dense.row_weight
    return dense.smoothed, dense.row_weight * xp.sum(dense.y * weight, axis=-1)
