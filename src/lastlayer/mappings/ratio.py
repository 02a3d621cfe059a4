"""The plain ratio x / Σx: g is the identity, so scores must be non-negative."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, power_of_two
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = x times an exact power of two, so that no sum overflows and no row of small scores is subnormal."""
    scale, k = power_of_two(xp.max(scores, axis=-1, keepdims=True), xp)
    zero = xp.zeros_like(scores)
    return Carried(
        mantissa=Pair(scores * scale, zero),
        derivative=lambda: Pair(zero + scale, zero),
        # −0 is in the domain like 0, but 1/−0 would be −inf.
        slope=lambda: 1.0 / xp.abs(scores),
        log2_scale=k,
        log_g=lambda: xp.log(scores),
    )


def is_valid(scores: Array, xp: Namespace) -> Array:
    """No score is below zero, and not all are zero. NaN counts as valid: a NaN row is NaN, not outside the domain."""
    return ~xp.any(scores < 0, axis=-1) & ~xp.all(scores == 0, axis=-1)


def is_plainly_valid(scores: Array, xp: Namespace) -> Array:
    """No score is below zero, and the first score of every row is above zero."""
    return (xp.min(scores) >= 0) & xp.all(scores[..., 0] > 0)


def g(score: Any, mp: Any) -> Any:
    """x."""
    return score


RATIO = normalized(
    name="ratio",
    summary="Divide by the sum. Only proportions count, so negative scores and a zero sum have no answer.",
    equation="p_i = x_i / sum_j x_j",
    domain=Domain(
        "scores >= 0, not all zero",
        is_valid,
        "use a mapping defined for every score (softmax, sparsemax), or on_domain='nan' for NaN rows",
        is_plainly_valid,
    ),
    carry=carry,
    g_oracle=g,
    limits_of_g=(float("nan"), float("inf")),
    laws=frozenset({"sums_to_one", "scale_invariant", "order_preserving", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(lambda f: f, intercept_constraint="sum_to_one", method="interior_point"),
    limits="one +inf: one-hot; several: they share equally; a zero score: probability 0; an infinite score has slope 0 in loss and Z",
    references=("Laha et al. 2018, On controllable sparse alternatives to softmax (sum-normalization)",),
)
