"""The options of a loss, written once and forwarded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lastlayer.activation import Activation
from lastlayer.arguments import as_integer, as_number

REDUCTIONS = ("mean", "sum", "none", "parts")


@dataclass(frozen=True)
class LossOptions:
    """Everything that a loss may be told besides scores, targets and mapping.

    Raises:
        TypeError: an option is not a number, or ignore_index not an integer.
        ValueError: an option is outside its range.
    """

    #: One weight a class, shape (K,), or None.
    weight: Any = None
    #: One weight a row, the targets' shape, or None.
    sample_weight: Any = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    #: λ of λ·Z², which has each row's weight in the mean: sample weight times its label's class weight.
    z_loss: float = 0.0
    activation: Activation = field(default_factory=Activation)
    reduction: str = "mean"

    def __post_init__(self) -> None:
        # A call without options has these values, and asks nothing more.
        is_usual = type(self.ignore_index) is int and self.ignore_index == -100
        if not (is_usual and type(self.label_smoothing) is float and type(self.z_loss) is float):
            self._read_numbers()
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; it must be between 0 and 1.")
        if not 0.0 <= self.z_loss < float("inf"):
            raise ValueError(f"z_loss is {self.z_loss}; it must be a finite number ≥ 0.")
        if not isinstance(self.reduction, str) or self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {self.reduction!r}; choose one of {', '.join(REDUCTIONS)}.")

    def _read_numbers(self) -> None:
        for name in ("label_smoothing", "z_loss"):
            object.__setattr__(self, name, as_number(name, getattr(self, name)))
        needs = "the integer label of the rows to leave out, such as -100"
        index = as_integer("ignore_index", self.ignore_index, needs)
        if type(index) is int and not -(2**63) <= index < 2**63:
            raise ValueError(f"ignore_index is {index}; labels have 64 bits: give an integer from -2**63 to 2**63 - 1.")
        object.__setattr__(self, "ignore_index", index)
