"""The linear head where each process of a group holds a slice of the classes: no process ever has the scores of a whole row."""

from lastlayer.torch.linear.sharded.cost import SlicedPlan, plan_in_slices
from lastlayer.torch.linear.sharded.loss import sliced_loss
from lastlayer.torch.linear.sharded.padding import classes_that_exist
from lastlayer.torch.linear.sharded.statistics import sliced_statistics

__all__ = ["SlicedPlan", "classes_that_exist", "plan_in_slices", "sliced_loss", "sliced_statistics"]
