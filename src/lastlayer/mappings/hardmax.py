"""Hardmax: no regularization, all mass on the largest score."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace
from lastlayer.mappings.regularized import HardmaxPoint, regularized


def evaluate(scores: Array, xp: Namespace) -> HardmaxPoint:
    """All mass on the largest scores, equally."""
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
    summary="The largest score takes everything. Flat almost everywhere, so its gradient teaches nothing.",
    equation="p = argmax over the simplex of <p, x>",
    domain=Domain("every real score"),
    evaluate=evaluate,
    oracle=oracle,
    regularizer_oracle=regularizer,
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
