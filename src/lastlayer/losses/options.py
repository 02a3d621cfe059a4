"""The options of a loss, written once and forwarded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lastlayer.activation import Activation

REDUCTIONS = ("mean", "sum", "none", "parts")


@dataclass(frozen=True)
class LossOptions:
    """Everything that a loss may be told besides scores, targets and mapping.

    Raises:
        ValueError: an option is outside its range.
    """

    #: One weight a class, shape (K,), or None.
    weight: Any = None
    #: One weight a row, the targets' shape, or None.
    sample_weight: Any = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    activation: Activation = field(default_factory=Activation)
    reduction: str = "mean"

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; it must be between 0 and 1.")
        if not 0.0 <= self.z_loss < float("inf"):
            raise ValueError(f"z_loss is {self.z_loss}; it must be a finite number ≥ 0.")
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {self.reduction!r}; choose one of {', '.join(REDUCTIONS)}.")
