"""A margin at the label: the cosine of the label's angle becomes a·cos θ − b·sin θ + d."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from lastlayer.arguments import as_number, describe

Tensor = torch.Tensor

KINDS = ("additive", "angular")


class Margin(NamedTuple):
    """`additive`: cos θ − m (CosFace). `angular`: cos(θ + m) (ArcFace), and cos θ − m sin m where θ + m would exceed π.

    Sources: Wang et al., "CosFace" (2018), section 3.1; Deng et al., "ArcFace" (2019) and, for the second branch, its
    authors' code.
    """

    kind: str
    size: float

    def coefficients(self, cosine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a, b and d of each row, from its cosine."""
        one = torch.ones_like(cosine)
        if self.kind == "additive":
            return one, 0.0 * one, -self.size * one
        a, b = math.cos(self.size) * one, math.sin(self.size) * one
        # cos(θ + m) would rise again where θ + m > π.
        is_beyond = cosine < -a
        return (
            torch.where(is_beyond, one, a),
            torch.where(is_beyond, 0.0, b),
            torch.where(is_beyond, -self.size * b, 0.0),
        )


def read_margin(margin: Any) -> Margin | None:
    """A margin from what the user gave.

    Raises:
        TypeError: no pair of a kind and a number.
        ValueError: another kind, or a size outside its range.
    """
    if margin is None:
        return None
    if not isinstance(margin, tuple | list) or len(margin) != 2:
        raise TypeError(f'margin is {describe(margin)}; give a pair such as ("additive", 0.35) or ("angular", 0.5).')
    kind, size = margin
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"the kind of margin is {kind!r}; choose one of {', '.join(KINDS)}.")
    number = as_number("the size of margin", size)
    if not (0.0 <= number < math.inf if kind == "additive" else 0.0 <= number <= math.pi / 2):
        needs = "a finite number ≥ 0" if kind == "additive" else "an angle from 0 to π/2, in radians"
        raise ValueError(f"the size of the {kind} margin is {number}; give {needs}.")
    return Margin(kind, number)
