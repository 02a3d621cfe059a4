"""Sparsemax: the Euclidean projection of the scores onto the simplex (Gini regularization)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lastlayer.mappings.false_position import false_position
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace, device_of
from lastlayer.mappings.regularized import regularized
from lastlayer.mappings.tsallis import TsallisPoint


def threshold(difference: Array, xp: Namespace) -> Array:
    """The threshold t from sorted scores (Martins & Astudillo 2016, algorithm 1).

    The support has k classes for the largest k with 1 + k·d₍ₖ₎ > Σ_{j ≤ k} d₍ⱼ₎.
    """
    descending = xp.sort(difference, axis=-1, descending=True)
    classes = difference.shape[-1]
    ranks = 1.0 + xp.astype(xp.arange(classes, device=device_of(difference)), difference.dtype)
    sums = xp.cumulative_sum(descending, axis=-1)
    inside = 1.0 + ranks * descending > sums
    zero = xp.zeros_like(descending)
    size = xp.sum(xp.where(inside, zero + 1.0, zero), axis=-1, keepdims=True)
    total = xp.sum(xp.where(inside, descending, zero), axis=-1, keepdims=True)
    return -1.0 - (total - 1.0) / size


def evaluate(scores: Array, xp: Namespace) -> TsallisPoint:
    """max(0, x − τ), τ such that the row sums to one."""
    return TsallisPoint(scores, 2.0, threshold, xp)


def oracle(scores: list[Any], mp: Any) -> list[Any]:
    """False position on τ in p = [x − τ]₊, which is piecewise linear in it."""
    largest = max(scores)
    reach = Counter(score - largest for score in scores)

    def excess(s: Any) -> Any:
        return mp.fsum([n * max(r + s, 0) for r, n in reach.items()]) - 1

    high = false_position(excess, mp)
    return [max(score - largest + high, mp.mpf(0)) for score in scores]


def regularizer(targets: list[Any], mp: Any) -> Any:
    """Ω(y) = (Σy² − 1)/2, zero at the vertices."""
    return (mp.fsum([y * y for y in targets]) - mp.fsum(targets)) / 2


SPARSEMAX = regularized(
    name="sparsemax",
    summary="Project the scores onto the simplex: classes far behind get exactly zero.",
    equation="p_i = max(0, x_i - tau),  tau such that sum_i p_i = 1",
    domain=Domain("every real score"),
    evaluate=evaluate,
    oracle=oracle,
    regularizer_oracle=regularizer,
    evaluate_slices=lambda scores, xp, search: TsallisPoint(scores, 2.0, lambda d, xp: search(d, 2.0), xp),
    tangent=lambda p, xp: xp.where(p > 0, p * 0.0 + 1.0, p * 0.0),
    laws=frozenset({"sums_to_one", "shift_invariant", "order_preserving", "permutation_equivariant", "convex_loss"}),
    budget=Budget("absolute", float32=2, float64=2),
    linear=LinearModel(lambda f: f - f.mean(), intercept_constraint="sum_to_zero"),
    limits="one +inf: one-hot; several: they share equally; −inf: probability 0; all −inf: NaN",
    references=("Martins & Astudillo 2016, From softmax to sparsemax",),
)
