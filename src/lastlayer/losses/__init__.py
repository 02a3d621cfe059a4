"""Losses of targets under every option: log loss, Fenchel–Young, gradients and reductions, derived from a mapping's record."""

from lastlayer.losses.counting import counted_rows
from lastlayer.losses.options import REDUCTIONS, HeadKeywords, LossKeywords, LossOptions, refuse_unknown
from lastlayer.losses.reduction import divisor, reduce_losses, reduce_total, reduction_scale
from lastlayer.losses.rows import RowLosses, losses_of_targets, partition_penalty, row_losses, weighted_targets
from lastlayer.losses.signatures import with_loss_options
from lastlayer.losses.targets import Targets, check_labels, check_soft_targets, dense_targets, plain_labels

__all__ = [
    "REDUCTIONS",
    "HeadKeywords",
    "LossKeywords",
    "LossOptions",
    "RowLosses",
    "Targets",
    "check_labels",
    "check_soft_targets",
    "counted_rows",
    "dense_targets",
    "divisor",
    "losses_of_targets",
    "partition_penalty",
    "plain_labels",
    "reduce_losses",
    "reduce_total",
    "reduction_scale",
    "refuse_unknown",
    "row_losses",
    "weighted_targets",
    "with_loss_options",
]
