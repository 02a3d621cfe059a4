"""PyTorch: every mapping and loss with gradients, and a linear head whose scores are never stored."""

from lastlayer.backends.torch.export import decompositions
from lastlayer.torch.calibrator import Calibrator
from lastlayer.torch.check_head import HeadReport, check_head
from lastlayer.torch.layer import LinearLoss
from lastlayer.torch.linear import (
    LinearPlan,
    LinearStatistics,
    SlicedPlan,
    SparseTargets,
    TeacherTargets,
    linear_loss,
    linear_statistics,
)
from lastlayer.torch.modules import (
    MODULES,
    CrossEntropyLoss,
    LogProbabilities,
    LogSoftmax,
    MappingLoss,
    Probabilities,
)

# Softmax, Ratio, Sparsemax, …: one module per mapping, from the table of mappings.
globals().update(MODULES)

__all__ = [
    "Calibrator",
    "CrossEntropyLoss",
    "HeadReport",
    "LinearLoss",
    "LinearPlan",
    "LinearStatistics",
    "LogProbabilities",
    "LogSoftmax",
    "MappingLoss",
    "Probabilities",
    "SlicedPlan",
    "SparseTargets",
    "TeacherTargets",
    "check_head",
    "decompositions",
    "linear_loss",
    "linear_statistics",
    *MODULES,
]
