"""How the loss of each row changes with the inverse temperature β: the two derivatives that Newton's method needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import probabilities
from lastlayer.mappings import ProbabilityMapping

#: Stands for x − max of a score of −inf: its probability is 0 at any temperature, and 0 · its square is still 0.
FAR = -1e18


@dataclass(frozen=True)
class Derivatives:
    """The derivatives of every row at one β.

    Attributes:
        first: ∂ℓ/∂β = Σ_k p_k d_k − d_y, d = x − max x, (n,).
        second: ∂²ℓ/∂β² = dᵀ (∂p/∂x) d ≥ 0, (n,).
        is_right: whether the label has the row's largest score, ties included, (n,).
        is_flat: whether all its scores are equal, (n,).
        has_label: whether the label's score is finite, (n,). Otherwise the loss is infinite at any temperature, and both
            derivatives are 0.
    """

    first: np.ndarray
    second: np.ndarray
    is_right: np.ndarray
    is_flat: np.ndarray
    has_label: np.ndarray


def derivatives(record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, beta: float) -> Derivatives:
    """The derivatives of the mapping's loss of β·x, rows (n,): log loss for softmax, Fenchel–Young for the regularized family.

    Both are convex in β, since the loss is convex in the scores. The mapping must have a `tangent` s, with which its Jacobian is
    diag(s) − s sᵀ/Σs, so that the second derivative is Σ s d² − (Σ s d)²/Σs.
    """
    n = scores.n
    found = Derivatives(np.empty(n), np.empty(n), *(np.empty(n, dtype=bool) for _ in range(3)))
    moments = _softmax_moments if record.family == "normalized" else _regularized_moments

    def work(rows: slice) -> None:
        d = below_the_largest(scores[rows])
        of_label = d[np.arange(len(d)), labels[rows]].astype(np.float64)
        mean, variance = moments(record, d, beta)
        has_label = of_label > FAR
        found.first[rows] = np.where(has_label, mean - of_label, 0.0)
        found.second[rows] = np.where(has_label, variance, 0.0)
        found.is_right[rows], found.has_label[rows] = of_label == 0.0, has_label
        found.is_flat[rows] = d.min(axis=-1) == 0.0

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


def _softmax_moments(record: ProbabilityMapping, d: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of d under softmax(β d), from one exponential per entry."""
    terms = np.multiply(d, d.dtype.type(beta))
    np.exp(terms, out=terms)
    total = np.einsum("ij->i", terms).astype(np.float64)
    mean = np.vecdot(terms, d) / total
    terms *= d
    return mean, np.maximum(np.vecdot(terms, d) / total - mean * mean, 0.0)


def _regularized_moments(record: ProbabilityMapping, d: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean of d under p, and its variance under s times Σs."""
    p = probabilities(d * d.dtype.type(beta), mapping=record)
    assert record.tangent is not None
    s = record.tangent(p, np, **record.values)
    mean = np.vecdot(p, d).astype(np.float64)
    total, first = np.einsum("ij->i", s).astype(np.float64), np.vecdot(s, d).astype(np.float64)
    s *= d
    return mean, np.maximum(np.vecdot(s, d) - first * first / total, 0.0)
