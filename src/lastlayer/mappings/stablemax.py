"""StableMax: g grows linearly above zero and decays like 1/(1 − x) below, so that no score saturates."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, divide, multiply, power_of_two, two_sum
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = 1 + |x| or its reciprocal, with the rounding error of the addition kept, times a power of two."""
    zero = xp.zeros_like(scores)
    one = zero + 1.0
    negative = scores < 0
    size = two_sum(one, xp.abs(scores))
    largest = xp.max(scores, axis=-1, keepdims=True)
    up, k_up = power_of_two(xp.where(largest < 0, one[..., :1], largest + 1.0), xp)
    down, k_down = power_of_two(xp.where(largest < 0, 1.0 - largest, one[..., :1]), xp)
    # If all scores are negative, every g is below one: scale it up by the inverse of the factor that scales 1 − max down.
    all_negative = largest < 0
    scale = xp.where(all_negative, 1.0 / down, up)
    k = xp.where(all_negative, -k_down, k_up)
    # Scale down before dividing: near the overflow threshold the exact products in `divide` would overflow.
    room = 2.0**-30
    reciprocal = divide(Pair(zero + scale, zero), Pair(size.hi * room, size.lo * room))
    hi = xp.where(negative, reciprocal.hi * room, size.hi * scale)
    lo = xp.where(negative, reciprocal.lo * room, size.lo * scale)

    def steepness() -> Pair:
        """1/(1 + |x|), which is g′/g on both sides of zero."""
        quotient = divide(Pair(one, zero), Pair(size.hi * room, size.lo * room))
        return Pair(quotient.hi * room, quotient.lo * room)

    def derivative() -> Pair:
        square = multiply(Pair(hi, lo), steepness())
        return Pair(xp.where(negative, square.hi, zero + scale), xp.where(negative, square.lo, zero))

    return Carried(
        mantissa=Pair(hi, lo),
        derivative=derivative,
        slope=lambda: steepness().value(),
        log2_scale=k,
        log_g=lambda: xp.where(negative, -xp.log(size.hi), xp.log(size.hi)),
    )


def g(score: Any, mp: Any) -> Any:
    """x + 1 for x ≥ 0, 1/(1 − x) below."""
    return score + 1 if score >= 0 else 1 / (1 - score)


STABLEMAX = normalized(
    name="stablemax",
    summary="Linear above zero, reciprocal below: a softmax whose loss never rounds to zero for a confident example.",
    equation="p_i = g(x_i) / sum_j g(x_j),  g(x) = x + 1 if x >= 0 else 1 / (1 - x)",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(0.0, float("inf")),
    laws=frozenset({"sums_to_one", "full_support", "order_preserving", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(),
    limits="one +inf: one-hot; several: they share equally; −inf: probability 0; an infinite score has slope 0 in loss and Z; all −inf: NaN",
    references=("Prieto et al. 2025, Grokking at the edge of numerical stability",),
)
