"""One loss per row and its gradient in the scores. Every option is combined with every mapping here and only here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lastlayer.losses.options import LossOptions
from lastlayer.losses.targets import Targets, dense_targets
from lastlayer.mappings import ProbabilityMapping

Array = Any
Namespace = Any


class RowLosses(NamedTuple):
    """Per row: its loss, and its share of the mean's denominator. Per score: the gradient of the row's loss, if requested."""

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

        loss = row weight · (the family's loss of the smoothed targets) + (the row's share of the denominator) · z_loss · Z²

    Class weights enter the sum over classes of the log loss, as in torch. A Fenchel–Young loss is not a sum over classes:
    there they multiply the row's loss by Σ w_c y_c of its unsmoothed targets. A row of weight zero has loss 0 and gradient
    0, whatever its scores are.
    """
    return losses_of_targets(
        mapping, scores, dense_targets(targets, is_soft, scores, options, xp), options, xp, with_gradient
    )


def losses_of_targets(
    mapping: ProbabilityMapping,
    scores: Array,
    dense: Targets,
    options: LossOptions,
    xp: Namespace,
    with_gradient: bool,
) -> RowLosses:
    """The same, of targets that are dense already."""
    activation = options.activation
    point = mapping.at(activation(scores, xp), xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    # The z-loss is averaged with the weights of the mean, so that it does not depend on the scale of the class weights.
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
    """`values` in the rows where the condition holds, zero in the others."""
    return xp.where(condition[..., None], values, xp.zeros_like(values))


def _times(slopes: Array, factor: Array, xp: Namespace) -> Array:
    """slopes · factor. Zero where the slope is zero, even if the factor (and Z) is infinite."""
    return xp.where(slopes == 0, slopes, slopes * factor)


def partition_penalty(partition: Callable[[], Array], options: LossOptions) -> tuple[Array, Array] | None:
    """The z-loss λ·Z² and its slope 2λ·Z in Z = `partition`(); None without one."""
    if not options.z_loss:
        return None
    z = partition()
    return options.z_loss * z * z, 2.0 * options.z_loss * z


def weighted_targets(
    mapping: ProbabilityMapping, dense: Targets, options: LossOptions, xp: Namespace
) -> tuple[Array, Array]:
    """(the targets that enter the family's loss, the factor of the row's loss), with class weights in one of the two."""
    if options.weight is None:
        return dense.smoothed, dense.row_weight
    weight = xp.astype(options.weight, dense.y.dtype)
    if mapping.family == "normalized":
        return dense.smoothed * weight, dense.row_weight
    return dense.smoothed, dense.row_weight * xp.sum(dense.y * weight, axis=-1)
