"""Softmax belongs to both families: it is normalized with g = exp, and it is the argmax regularized by Shannon entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = e^x: the exponent alone."""
    return Carried(exponent=scores)


def g(score: Any, mp: Any) -> Any:
    """e^x."""
    return mp.exp(score)


SOFTMAX = normalized(
    name="softmax",
    summary="Exponentiate, then divide by the sum: differences of scores become ratios of probabilities.",
    equation="p_i = exp(x_i) / sum_j exp(x_j)",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(0.0, float("inf")),
    tangent=lambda p, xp: p,
    laws=frozenset(
        {"sums_to_one", "full_support", "shift_invariant", "order_preserving", "permutation_equivariant", "convex_loss"}
    ),
    budget=Budget("ulp", float32=2, float64=2),
    linear=LinearModel(lambda f: np.log(f) - np.log(f).mean(), intercept_constraint="sum_to_zero"),
    limits="one +inf: one-hot; several: they share equally; all −inf: NaN",
    references=(
        "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
        "Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions",
    ),
)
