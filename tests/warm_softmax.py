"""A mapping that no table holds, as a user would make one: softmax at temperature 2."""

from __future__ import annotations

from lastlayer.mappings import Budget, Domain, LinearModel
from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair
from lastlayer.mappings.normalized import normalized


def carry(scores, xp):
    """g = e^(x/2); halving is exact."""
    half = xp.zeros_like(scores) + 0.5
    return Carried(exponent=scores * 0.5, derivative=lambda: Pair(half, xp.zeros_like(scores)), slope=lambda: half)


WARM_SOFTMAX = normalized(
    name="warm_softmax",
    summary="Softmax at temperature 2.",
    equation="p_i = exp(x_i / 2) / sum_j exp(x_j / 2)",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=lambda score, mp: mp.exp(score / 2),
    limits_of_g=(0.0, float("inf")),
    laws=frozenset({"sums_to_one", "full_support", "shift_invariant", "order_preserving", "convex_loss"}),
    budget=Budget("ulp", float32=1, float64=3),
    linear=LinearModel(intercept_constraint="sum_to_zero"),
    limits="as softmax",
    references=("this test",),
)
