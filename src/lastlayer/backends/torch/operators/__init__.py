"""The operators `torch.ops.lastlayer`: what torch.compile, torch.func and autograd see as one node each."""

from lastlayer.backends.torch.operators.arguments import LOSS_SCHEMA, Arguments, flatten, problem_of
from lastlayer.backends.torch.operators.curvature import needs_scores
from lastlayer.backends.torch.operators.evaluate import product_of_quantity, quantity_of_rows
from lastlayer.backends.torch.operators.loss import pull_back_loss, reduced_loss

__all__ = [
    "LOSS_SCHEMA",
    "Arguments",
    "flatten",
    "needs_scores",
    "problem_of",
    "product_of_quantity",
    "pull_back_loss",
    "quantity_of_rows",
    "reduced_loss",
]
