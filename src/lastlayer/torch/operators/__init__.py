"""The operators `torch.ops.lastlayer`: what torch.compile, torch.func and autograd see as one node each."""

from lastlayer.torch.operators.arguments import LOSS_SCHEMA, flatten, unflatten
from lastlayer.torch.operators.curvature import needs_scores
from lastlayer.torch.operators.evaluate import product_of_quantity, quantity_of_rows
from lastlayer.torch.operators.loss import pull_back_loss, reduced_loss

__all__ = [
    "LOSS_SCHEMA",
    "flatten",
    "needs_scores",
    "product_of_quantity",
    "pull_back_loss",
    "quantity_of_rows",
    "reduced_loss",
    "unflatten",
]
