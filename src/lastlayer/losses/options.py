"""The options of a loss: the one list from which signatures, docstrings, operator schemas and kernel arguments are made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from lastlayer.activation import Activation
from lastlayer.arguments import as_integer, as_number

Array = Any

REDUCTIONS = ("mean", "sum", "none", "parts")


@dataclass(frozen=True)
class LossOptions:
    """Everything that a loss takes besides scores, targets and mapping.

    Raises:
        TypeError: an option is not a number, or ignore_index not an integer.
        ValueError: an option is outside its range.
    """

    # Each field says its type in an operator's schema, the words of the docstrings, and, if it is a number of the formula, a value
    # at which the contract compares every backend with the oracle.
    weight: Array | None = field(
        default=None,
        metadata={
            "schema": "Tensor?",
            "words": "one weight per class, (K,): inside the sum of the log loss as in torch; a Fenchel–Young row is multiplied "
            "by Σ w y.",
        },
    )
    sample_weight: Array | None = field(default=None, metadata={"schema": "Tensor?", "words": "one weight per row."})
    ignore_index: int = field(default=-100, metadata={"schema": "int", "words": "the label of rows that do not count."})
    label_smoothing: float = field(
        default=0.0,
        metadata={
            "schema": "float",
            "trial": 0.2,
            "words": "the share of the target that is spread evenly over all classes, in [0, 1].",
        },
    )
    z_loss: float = field(
        default=0.0,
        metadata={
            "schema": "float",
            "trial": 0.05,
            "words": "λ of the added λ·Z², Z = log Σ g or Ω*(x). A row's Z² has the weight that the row has in the mean: its "
            "sample weight times its label's class weight. So the mean of Z² does not depend on the scale of the class weights, "
            "and `parts` of micro-batches add up. (Liger and cut-cross-entropy divide by the number of rows, whatever their "
            "weights.)",
        },
    )
    temperature: float | Array = field(
        default=1.0,
        metadata={
            "schema": "float",
            "trial": 1.7,
            "words": "scores are divided by it, after the softcap: a number, or an array with one number or one per row. A torch "
            "tensor gets its gradient.",
        },
    )
    softcap: float | None = field(
        default=None,
        metadata={
            "schema": "float?",
            "trial": 3.0,
            "words": "scores become softcap·tanh(score / softcap) first.",
        },
    )
    reduction: str = field(
        default="mean",
        metadata={
            "schema": "str",
            "words": '"mean" over the weight of the counted rows, "sum", "none", or "parts" → (total, denominator).',
        },
    )
    #: Softcap and temperature as one function of the scores.
    activation: Activation = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A call without options has these values and needs no reading.
        is_usual = type(self.ignore_index) is int and self.ignore_index == -100
        for name in _FLOATS:
            is_usual = is_usual and type(getattr(self, name)) is float
        if not is_usual:
            self._read_numbers()
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; it must be between 0 and 1.")
        if not 0.0 <= self.z_loss < float("inf"):
            raise ValueError(f"z_loss is {self.z_loss}; it must be a finite number ≥ 0.")
        if not isinstance(self.reduction, str) or self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {self.reduction!r}; choose one of {', '.join(REDUCTIONS)}.")
        activation = Activation(self.temperature, self.softcap)
        object.__setattr__(self, "activation", activation)
        # As Python's numbers.
        object.__setattr__(self, "temperature", activation.temperature)
        object.__setattr__(self, "softcap", activation.softcap)

    def _read_numbers(self) -> None:
        for name in _FLOATS:
            object.__setattr__(self, name, as_number(name, getattr(self, name)))
        needs = "the integer label of the rows to leave out, such as -100"
        index = as_integer("ignore_index", self.ignore_index, needs)
        if type(index) is int and not -(2**63) <= index < 2**63:
            raise ValueError(f"ignore_index is {index}; labels have 64 bits: give an integer from -2**63 to 2**63 - 1.")
        object.__setattr__(self, "ignore_index", index)

    def numbers(self) -> tuple[Any, ...]:
        """The values of `NUMBERS`, as the kernels take them."""
        return tuple([getattr(self, name) for name in NUMBERS])


class SharedKeywords(TypedDict, total=False):
    """Keyword arguments that every loss takes, for type checkers; a test compares them with `LossOptions`."""

    sample_weight: Array | None
    ignore_index: int
    label_smoothing: float
    z_loss: float
    temperature: float | Array
    softcap: float | None
    reduction: str


class LossKeywords(SharedKeywords, total=False):
    """Keyword arguments of `ll.loss`."""

    weight: Array | None


class HeadKeywords(SharedKeywords, total=False):
    """Keyword arguments of a linear head's loss, whose `weight` is the head's."""

    class_weight: Array | None


_FIELDS = tuple(option for option in fields(LossOptions) if option.init)
#: Every option's name → its default, its type in an operator's schema, and what docstrings say about it.
DEFAULTS = {option.name: option.default for option in _FIELDS}
SCHEMA = {option.name: option.metadata["schema"] for option in _FIELDS}
WORDS = {option.name: option.metadata["words"] for option in _FIELDS}
#: The floats that are read here; `Activation` reads temperature and softcap.
_FLOATS = tuple(name for name, kind in SCHEMA.items() if kind == "float" and name != "temperature")
#: The numbers of the formula, each with a value to try.
TRIALS = {option.name: option.metadata["trial"] for option in _FIELDS if "trial" in option.metadata}
#: The options that are arrays; and those that are numbers, in the order in which the kernels take them.
ARRAYS = tuple(name for name, kind in SCHEMA.items() if kind == "Tensor?")
NUMBERS = tuple(name for name, kind in SCHEMA.items() if kind in ("int", "float", "float?"))


def refuse_unknown(function: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise TypeError for an option that a function does not have, naming the nearest one that it has."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
            raise TypeError(f"{function} has no option {name!r}; {hint}")
