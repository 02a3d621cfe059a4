"""How the loss of each row changes with the inverse temperature β: the two derivatives that Newton's method needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import probabilities
from lastlayer.mappings import ProbabilityMapping

#: Stands for x − max of a score of −inf: its probability is 0 at any temperature, and 0 · its square is still 0. A power of two is
#: the same number in float32 and in float64.
FAR = -(2.0**60)


@dataclass(frozen=True)
class Derivatives:
    """The derivatives of every row at one β.

    Attributes:
        first: ∂ℓ/∂β = Σ_k p_k d_k − d_y, d = x − max x, (n,).
        second: ∂²ℓ/∂β² = dᵀ (∂p/∂x) d ≥ 0, (n,).
        is_right: whether the label has the row's largest score, ties included, (n,).
        is_flat: whether all its scores above −inf are equal, (n,).
    """

    first: np.ndarray
    second: np.ndarray
    is_right: np.ndarray
    is_flat: np.ndarray


def derivatives(record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, beta: float) -> Derivatives:
    """The derivatives of the mapping's loss of β·x, rows (n,): log loss for softmax, Fenchel–Young for the regularized family.

    Both are convex in β, since the loss is convex in the scores. The mapping must have a `tangent` s, with which its Jacobian is
    diag(s) − s sᵀ/Σs, so that the second derivative is Σ s d² − (Σ s d)²/Σs.
    """
    n = scores.n
    found = Derivatives(np.empty(n), np.empty(n), *(np.empty(n, dtype=bool) for _ in range(2)))
    moments = _softmax_moments if record.family == "normalized" else _regularized_moments

    def work(rows: slice) -> None:
        d = below_the_largest(scores[rows])
        of_label = d[np.arange(len(d)), labels[rows]].astype(np.float64)
        least = d.min(axis=-1)
        is_masked = bool((least <= FAR).any())
        mean, variance = moments(record, d, beta, is_masked)
        found.first[rows], found.second[rows] = mean - of_label, variance
        found.is_right[rows] = of_label == 0.0
        found.is_flat[rows] = ((d == 0.0) | (d <= FAR)).all(axis=-1) if is_masked else least == 0.0

    for_each_block(scores.n, scores.n_classes, work)
    return found


def below_the_largest(scores: np.ndarray) -> np.ndarray:
    """d = x − max x per row; infinite scores become 0 (the largest ones) and `FAR`."""
    largest = scores.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        # One or several +inf share the row, and all others are as far away as can be; a row of −inf is all equal.
        scores = np.where(np.isinf(largest), np.where(scores == largest, 0.0, FAR), scores).astype(scores.dtype)
        largest = np.where(np.isinf(largest), 0.0, largest).astype(scores.dtype)
    d = scores - largest
    # The smallest one tells whether there is any −inf, at a fifth of the price of replacing it.
    return d if d.min(initial=0.0) >= FAR else np.maximum(d, d.dtype.type(FAR), out=d)


def times(d: np.ndarray, beta: float, is_masked: bool) -> np.ndarray:
    """β d, with −inf for `FAR` even at β = 0."""
    with np.errstate(over="ignore", under="ignore"):
        product = np.multiply(d, d.dtype.type(beta))
    if is_masked:
        product[d <= FAR] = -np.inf
    return product


def _softmax_moments(
    record: ProbabilityMapping, d: np.ndarray, beta: float, is_masked: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of d under softmax(β d), from one exponential per entry."""
    terms = times(d, beta, is_masked)
    np.exp(terms, out=terms)
    total = np.einsum("ij->i", terms).astype(np.float64)
    mean = np.vecdot(terms, d) / total
    terms *= d
    return mean, np.maximum(np.vecdot(terms, d) / total - mean * mean, 0.0)


def _regularized_moments(
    record: ProbabilityMapping, d: np.ndarray, beta: float, is_masked: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of d under p, and its variance under s times Σs."""
    p = probabilities(times(d, beta, is_masked), mapping=record)
    assert record.tangent is not None
    s = record.tangent(p, np, **record.values)
    mean = np.vecdot(p, d).astype(np.float64)
    total, first = np.einsum("ij->i", s).astype(np.float64), np.vecdot(s, d).astype(np.float64)
    s *= d
    return mean, np.maximum(np.vecdot(s, d) - first * first / total, 0.0)
