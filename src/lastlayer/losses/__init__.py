"""Losses of targets under every option: log loss, Fenchel–Young, gradients and reductions, derived from a mapping's record."""

from lastlayer.losses.options import REDUCTIONS, LossOptions
from lastlayer.losses.reduction import reduce_losses, reduction_scale
from lastlayer.losses.rows import RowLosses, row_losses, weighted_targets
from lastlayer.losses.targets import Targets, check_labels, check_soft_targets, dense_targets, plain_labels

__all__ = [
    "REDUCTIONS",
    "LossOptions",
    "RowLosses",
    "Targets",
    "check_labels",
    "check_soft_targets",
    "dense_targets",
    "plain_labels",
    "reduce_losses",
    "reduction_scale",
    "row_losses",
    "weighted_targets",
]
