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

    loss = row weight · (family's loss of the smoothed, weighted targets) + sample weight · z_loss · Z².
    Class weights enter the sum of the log loss as in torch; a Fenchel–Young loss is no sum over classes, so there they
    weigh the row by Σ w_c y_c of its unsmoothed targets.
    """
    dense = dense_targets(targets, is_soft, scores, options, xp)
    activation = options.activation
    point = mapping.at(activation(scores, xp), xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    zero = xp.zeros_like(dense.row_weight)
    losses = factor * point.losses(y)
    if options.z_loss:
        partition = point.log_partition()
        losses = losses + dense.row_weight * (options.z_loss * partition * partition)
    losses = xp.where(dense.is_counted, losses, zero)
    if not with_gradient:
        return RowLosses(losses, dense.denominator, None)
    gradient = factor[..., None] * point.loss_gradient(y)
    if options.z_loss:
        slope = dense.row_weight * (2.0 * options.z_loss * partition)
        gradient = gradient + slope[..., None] * point.partition_gradient()
    gradient = activation.pull_back(scores, gradient, xp)
    gradient = xp.where(dense.is_counted[..., None], gradient, xp.zeros_like(gradient))
    return RowLosses(losses, dense.denominator, gradient)


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
