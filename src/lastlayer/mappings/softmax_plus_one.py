"""Softmax with an extra 1 in the denominator: an outcome that is never observed takes part of the probability."""

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


SOFTMAX_PLUS_ONE = normalized(
    name="softmax_plus_one",
    summary="Softmax with 1 added to the denominator: when every score is low, every probability is low.",
    equation="p_i = exp(x_i) / (1 + sum_j exp(x_j))",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(0.0, float("inf")),
    spare=True,
    laws=frozenset({"full_support", "order_preserving", "permutation_equivariant", "convex_loss"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(lambda f: np.log(f) - np.log(f).mean()),
    limits="one +inf: one-hot; several: they share equally; all −inf: every probability 0",
    row_of_minus_inf="limit",
    references=("Miller 2023, Attention is off by one",),
    study_note=(
        "Training never observes the outcome behind the extra 1, so the intercepts grow until it gets no probability: "
        "the optimum is softmax."
    ),
)
