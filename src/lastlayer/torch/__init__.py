"""PyTorch: every mapping and loss with gradients, and a linear head whose scores are never stored."""

from lastlayer.dispatch import EXTENSION, register
from lastlayer.torch.export import decompositions
from lastlayer.torch.implementation import TORCH
from lastlayer.torch.linear import LinearPlan, LinearStatistics, linear_loss, linear_statistics
from lastlayer.torch.modules import (
    MODULES,
    CrossEntropyLoss,
    LinearLoss,
    LogProbabilities,
    LogSoftmax,
    MappingLoss,
    Probabilities,
)

register(TORCH)
if EXTENSION is not None:
    # Torch's own threads are busy waiting for work just when our kernels are called.
    EXTENSION.borrow_threads()
# Softmax, Ratio, Sparsemax, …: one module a mapping, from the table of mappings.
globals().update(MODULES)

__all__ = [
    "CrossEntropyLoss",
    "LinearLoss",
    "LinearPlan",
    "LinearStatistics",
    "LogProbabilities",
    "LogSoftmax",
    "MappingLoss",
    "Probabilities",
    "decompositions",
    "linear_loss",
    "linear_statistics",
    *MODULES,
]
