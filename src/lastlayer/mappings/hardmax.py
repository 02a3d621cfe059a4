"""Hardmax: no regularization. All probability goes to the largest score."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings.double_double import extended_sum
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace
from lastlayer.mappings.regularized import RegularizedPoint, regularized, shift


class HardmaxPoint(RegularizedPoint):
    """Ω = 0: all probability goes to the largest score; ties share equally."""

    def __init__(self, scores: Array, xp: Namespace):
        self.xp = xp
        self.shifted = shift(scores, xp)
        difference = self.shifted.difference.hi
        is_largest = xp.where(difference == 0, xp.ones_like(difference), xp.zeros_like(difference))
        bad = xp.isnan(self.shifted.largest) | (self.shifted.largest == -float("inf"))
        shares = is_largest / xp.sum(is_largest, axis=-1, keepdims=True)
        self._p = xp.where(bad, xp.full_like(shares, float("nan")), shares)

    def tangent(self) -> Array:
        return self._p * 0.0

    def log_slope(self) -> Array:
        return self._p * 0.0

    def log_partition(self) -> Array:
        return self.shifted.largest[..., 0]

    def losses(self, targets: Array) -> Array:
        """Σ yᵢ (max − xᵢ): the perceptron loss."""
        xp, (hi, lo) = self.xp, self.shifted.difference
        terms = xp.where(targets != 0, targets * -(hi + lo), self._p * 0.0)
        return extended_sum(terms, xp)


def evaluate(scores: Array, xp: Namespace) -> HardmaxPoint:
    """Share the probability equally among the largest scores."""
    return HardmaxPoint(scores, xp)


def oracle(scores: list[Any], mp: Any) -> list[Any]:
    """A class wins when it loses no comparison; winners share."""
    wins = [all(score >= other for other in scores) for score in scores]
    return [mp.mpf(int(win)) / sum(wins) for win in wins]


def regularizer(targets: list[Any], mp: Any) -> Any:
    """Ω = 0."""
    return mp.mpf(0)


HARDMAX = regularized(
    name="hardmax",
    summary=(
        "The largest score takes everything. Its slope is 0 almost everywhere, and its loss is already zero when all scores are "
        "equal, so there is nothing to learn from either."
    ),
    equation="p = argmax over the simplex of <p, x>",
    domain=Domain("every real score"),
    evaluate=evaluate,
    oracle=oracle,
    regularizer_oracle=regularizer,
    evaluate_slices=lambda scores, xp, search: HardmaxPoint(scores, xp),
    tangent=lambda p, xp: p * 0.0,
    laws=frozenset(
        {
            "sums_to_one",
            "shift_invariant",
            "scale_invariant",
            "order_preserving",
            "permutation_equivariant",
            "convex_loss",
        }
    ),
    budget=Budget("absolute", float32=2, float64=2),
    linear=LinearModel(lambda f: np.log(f) - np.log(f).mean(), intercept_constraint="sum_to_zero", method="margin"),
    loss_name="perceptron loss max(x) − ⟨x, y⟩ (Fenchel–Young with Ω = 0)",
    limits="ties share equally; several +inf share equally; all −inf: NaN",
    references=(
        "Blondel, Martins & Niculae 2020, Learning with Fenchel-Young losses, section 4",
        "Crammer & Singer 2001, On the algorithmic implementation of multiclass kernel-based vector machines",
    ),
)
