"""The ratio of softpluses: g = log(1 + e^x), close to e^x far below zero and to x far above."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, add, divide, power_of_two, two_sum
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = e^min(x, 0) · r. Below zero r = log1p(e^x)/e^x in [ln 2, 1]; above zero r = x + log1p(e^(−x))."""
    zero = xp.zeros_like(scores)
    negative = scores < 0
    tail = xp.exp(-xp.abs(scores))
    log1p_tail = Pair(xp.log1p(tail), zero)
    # Below 2^-60 the quotient is 1 to the last bit. The tail may be zero there, so this also avoids 0/0.
    tiny = tail < 2.0**-60
    below = divide(log1p_tail, Pair(xp.where(tiny, zero + 1.0, tail), zero))
    above = add(Pair(xp.where(negative, zero, scores), zero), log1p_tail)
    one = zero + 1.0
    hi = xp.where(negative, xp.where(tiny, one, below.hi), above.hi)
    lo = xp.where(negative, xp.where(tiny, zero, below.lo), above.lo)
    scale, k = power_of_two(xp.max(hi, axis=-1, keepdims=True), xp)
    mantissa = Pair(hi * scale, lo * scale)

    def sigmoid_part() -> Pair:
        """g′ = 1/(1 + e^(−x)) without its e^min(x, 0)."""
        return divide(Pair(one, zero), two_sum(one, tail))

    def derivative() -> Pair:
        part = sigmoid_part()
        return Pair(part.hi * scale, part.lo * scale)

    def slope() -> Array:
        # Scale down before dividing: near the overflow threshold the exact products in `divide` would overflow.
        room = 2.0**-100
        return divide(sigmoid_part(), Pair(hi * room, lo * room)).value() * room

    return Carried(
        mantissa=mantissa,
        exponent=xp.where(negative, scores, zero),
        derivative=derivative,
        slope=slope,
        log2_scale=k,
        log_g=lambda: xp.where(negative, scores, zero) + xp.log(hi),
    )


def g(score: Any, mp: Any) -> Any:
    """log(1 + e^x)."""
    return mp.log1p(mp.exp(score))


SOFTPLUS_RATIO = normalized(
    name="softplus_ratio",
    summary="Divide softpluses by their sum: like softmax for negative scores, like the ratio for large positive ones.",
    equation="p_i = g(x_i) / sum_j g(x_j),  g(x) = log(1 + exp(x))",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(0.0, float("inf")),
    limits_of_slope=(1.0, 0.0),
    laws=frozenset({"sums_to_one", "full_support", "order_preserving", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(
        note=(
            "It can imitate softmax. For very negative scores softplus is almost an exponential, and training may move all "
            "scores there. Then the two give the same probabilities."
        )
    ),
    limits="one +inf: one-hot; several: they share equally, and have slope 0; −inf: probability 0, slope −1 as a label; all −inf: NaN",
    references=(
        "Dugas et al. 2001, Incorporating second-order functional knowledge for better option pricing (softplus)",
    ),
)
