"""The linear head in blocks of rows: scores = input · weightᵀ + bias of one block at a time, never stored whole."""

from lastlayer.torch.linear.distillation import SparseTargets, TeacherTargets
from lastlayer.torch.linear.loss import linear_loss
from lastlayer.torch.linear.plan import LinearPlan
from lastlayer.torch.linear.sharded import SlicedPlan
from lastlayer.torch.linear.statistics import LinearStatistics, linear_statistics

__all__ = [
    "LinearPlan",
    "LinearStatistics",
    "SlicedPlan",
    "SparseTargets",
    "TeacherTargets",
    "linear_loss",
    "linear_statistics",
]
