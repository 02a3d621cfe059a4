"""Spherical softmax: g = x². Only the size of a score counts, not its sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, power_of_two, two_product
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace


def carry(scores: Array, xp: Namespace) -> Carried:
    """g = (x·2^k)², with the rounding error of the square kept."""
    scale, k = power_of_two(xp.max(xp.abs(scores), axis=-1, keepdims=True), xp)
    y = scores * scale
    return Carried(
        mantissa=two_product(y, y),
        derivative=lambda: Pair(2.0 * y * scale, xp.zeros_like(y)),
        slope=lambda: 2.0 / scores,
        log2_scale=2.0 * k,
        log_g=lambda: 2.0 * xp.log(xp.abs(scores)),
    )


def is_valid(scores: Array, xp: Namespace) -> Array:
    """Not all scores zero."""
    return ~xp.all(scores == 0, axis=-1)


def is_plainly_valid(scores: Array, xp: Namespace) -> Array:
    """The first score of every row is not zero."""
    return xp.all(scores[..., 0] != 0)


def g(score: Any, mp: Any) -> Any:
    """x²."""
    return score * score


SPHERICAL = normalized(
    name="spherical",
    summary="Square, then divide by the sum of squares: the sign of a score does not matter, only its size.",
    equation="p_i = x_i^2 / sum_j x_j^2",
    domain=Domain(
        "not all scores zero",
        is_valid,
        "add a constant to the scores, or on_domain='nan' for NaN rows",
        is_plainly_valid,
    ),
    carry=carry,
    g_oracle=g,
    limits_of_g=(float("inf"), float("inf")),
    laws=frozenset({"sums_to_one", "scale_invariant", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(lambda f: np.sqrt(f), intercept_constraint="unit_norm"),
    limits="one score of ±inf: one-hot; several: they share equally; a zero score: probability 0; an infinite score has slope 0 in loss and Z",
    row_of_minus_inf="limit",
    references=(
        "de Brébisson & Vincent 2016, An exploration of softmax alternatives belonging to the spherical loss family",
    ),
)
