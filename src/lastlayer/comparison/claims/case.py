"""The scores a claim is judged on, with what several claims ask of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lastlayer.comparison.question import Question
from lastlayer.functions import probabilities
from lastlayer.words.numbers import short, tuple_of

Vector = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)

#: What a claim is for the scores at hand: yes, no, half of it, or they do not test it.
Here = Literal["yes", "no", "half true", "not tested"]
#: That, and the numbers behind it.
Verdict = tuple[Here, str]


@dataclass(frozen=True)
class Case:
    """Finite scores: as given, and as they reach the mappings, after softcap and temperature."""

    given: Vector
    scores: Vector
    softcap: float | None
    label: int | None

    @classmethod
    def of(cls, question: Question, reached: Vector) -> Self:
        """The case of a question whose finite scores `reached` the mappings."""
        return cls(question.scores, reached, question.activation.softcap, question.label)

    @property
    def classes(self) -> int:
        """K."""
        return len(self.scores)

    @property
    def true_class(self) -> int:
        """The label. Without one the smallest score's class, whose loss is the hardest to compute."""
        return int(np.argmin(self.scores)) if self.label is None else self.label

    @cached_property
    def size(self) -> float:
        """The largest |x|."""
        return float(np.max(np.abs(self.scores)))

    @cached_property
    def all_equal(self) -> bool:
        """Whether no class is ahead of another; also for one class."""
        return bool(np.all(self.scores == self.scores[0]))

    @cached_property
    def softmax(self) -> Vector:
        """softmax of the scores, (K,)."""
        return probabilities_of(self.scores, "softmax")

    @cached_property
    def ratio(self) -> Vector:
        """x / Σx, (K,); NaN throughout where the scores are outside its domain."""
        return probabilities_of(self.scores, "ratio")

    @cached_property
    def has_ratio(self) -> bool:
        """Whether the ratio is defined."""
        return not np.isnan(self.ratio).any()

    def shown(self, values: Vector, *others: int) -> str:
        """Numbers per class: all of them up to 4, else those of the two largest scores, of `others` and of the label."""
        if self.classes <= 4:
            return tuple_of(values)
        largest = np.argsort(-self.scores, kind="stable")[:2].tolist()
        classes = dict.fromkeys([*largest, *others, *([] if self.label is None else [self.label])])
        return f"({', '.join(f'class {k}: {short(float(values[k]))}' for k in classes)}, …)"

    @cached_property
    def nothing_ahead(self) -> str:
        """Why scores that are all equal test little."""
        return "One class: it gets 1 either way." if self.classes == 1 else "All scores are equal."


def probabilities_of(scores: Vector, mapping: str) -> Vector:
    """Probabilities, NaN where the mapping has none."""
    p: Vector = probabilities(scores, mapping=mapping, on_domain="nan")
    return p


def largest_change(a: Vector, b: Vector) -> float:
    """max |a − b|."""
    return float(np.max(np.abs(a - b)))


def sums_to_zero(scores: Vector) -> bool:
    """Σx = 0 up to the rounding of decimal input such as 0.1 0.2 -0.3."""
    size = float(np.max(np.abs(scores)))
    # Divided by the largest, so that the sum cannot overflow.
    return size == 0 or abs(math.fsum(scores / size)) <= 4 * EPS * len(scores)
