"""The ratio of sigmoids: g = 1/(1 + e^(−x)), exponential below zero and flat above."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, divide, multiply, two_sum
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = e^min(x, 0) / (1 + e^(−|x|)): the exponent holds the tail, and the mantissa stays in [1/2, 1]."""
    zero = xp.zeros_like(scores)
    one = Pair(zero + 1.0, zero)
    tail = xp.exp(-xp.abs(scores))
    mantissa = divide(one, two_sum(one.hi, tail))

    def falling() -> Pair:
        """1 − g = 1/(1 + e^x), without the subtraction."""
        rising = multiply(Pair(tail, zero), mantissa)
        return Pair(*(xp.where(scores < 0, low, high) for low, high in zip(mantissa, rising, strict=True)))

    return Carried(
        mantissa=mantissa,
        exponent=xp.where(scores < 0, scores, zero),
        derivative=lambda: multiply(mantissa, falling()),
        slope=lambda: falling().value(),
    )


def g(score: Any, mp: Any) -> Any:
    """1/(1 + e^(−x))."""
    return 1 / (1 + mp.exp(-score))


SIGMOID_RATIO = normalized(
    name="sigmoid_ratio",
    summary="Divide sigmoids by their sum: like softmax for very negative scores, and large scores saturate.",
    equation="p_i = s(x_i) / sum_j s(x_j),  s(x) = 1 / (1 + exp(-x))",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(0.0, 1.0),
    limits_of_slope=(1.0, 0.0),
    laws=frozenset({"sums_to_one", "full_support", "order_preserving", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(
        note=(
            "It can imitate softmax. For very negative scores the sigmoid is almost an exponential, and training may move all "
            "scores there. Then the two give the same probabilities."
        )
    ),
    limits="+inf counts as g = 1, with slope 0; −inf: probability 0, slope −1 as a label; all −inf: NaN",
    references=("Laha et al. 2018, On controllable sparse alternatives to softmax",),
)
