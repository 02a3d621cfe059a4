"""Temperature with a bias per class, and vector scaling, by Newton's method on a convex loss.

Sources: Platt 1999, Probabilistic outputs for support vector machines (two classes); Alexandari, Kundaje & Shrikumar 2020,
Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation (temperature and bias); Guo, Pleiss,
Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2 (vector scaling).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lastlayer.calibration.derivatives import below_the_largest
from lastlayer.calibration.newton import Quadratic, newton
from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import loss_and_grad

#: Entries of a block: products of matrices want some height.
ENTRIES = 1 << 18

#: (x, p, ∂ℓ/∂z, weights of the rows) of a block → gradient and Hessian in the parameters, summed over its rows.
Work = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def fit_prior(
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    beta: float = 1.0,
    first: tuple[float, np.ndarray] | None = None,
) -> tuple[float, np.ndarray]:
    """(β, b) of p = softmax(β x + b) with b (K,) of mean 0; the penalty draws b to 0. The search begins at `first`."""
    anchor = np.concatenate([[beta], np.zeros(scores.n_classes)])
    start = anchor if first is None else np.concatenate([[first[0]], first[1]])
    penalty = np.concatenate([[0.0], np.ones(scores.n_classes)])

    def work(x: np.ndarray, p: np.ndarray, gradient: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weighted = w[:, None] * p
        mean = np.einsum("ij,ij->i", p, x)
        corner = float(np.einsum("ij,ij,ij->", weighted, x, x) - w @ mean**2)
        border = np.einsum("ij,ij->j", weighted, x - mean[:, None])
        inside = np.diag(weighted.sum(axis=0)) - weighted.T @ p
        hessian = np.block([[np.array([[corner]]), border[None, :]], [border[:, None], inside]])
        return np.concatenate([[w @ np.einsum("ij,ij->i", gradient, x)], w @ gradient]), hessian

    def at(parameters: np.ndarray) -> Quadratic:
        return _total(
            scores, labels, weights, lambda x: x * x.dtype.type(parameters[0]) + parameters[1:].astype(x.dtype), work
        )

    found = newton(at, start, anchor, penalty, rounding=_rounding(scores), first_is_positive=True)
    return float(found[0]), found[1:] - found[1:].mean()


def fit_vector(
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    beta: float = 1.0,
    first: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(w, b) of p = softmax(w ∘ x + b), (K,) each; the penalty draws w to β and b to 0. The search begins at `first`."""
    k = scores.n_classes
    anchor = np.concatenate([np.full(k, beta), np.zeros(k)])
    start = anchor if first is None else np.concatenate(first)
    penalty = np.concatenate([column_variances(scores, weights), np.ones(k)])

    def work(x: np.ndarray, p: np.ndarray, gradient: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = np.concatenate([p * x, p], axis=1)
        hessian = -(w[:, None] * both).T @ both
        # Σ_k p_k of the squares and products of x_k and 1 is on the diagonals of the four blocks.
        for row, column, values in ((0, 0, both[:, :k] * x), (0, k, both[:, :k]), (k, 0, both[:, :k]), (k, k, p)):
            hessian[row + np.arange(k), column + np.arange(k)] += w @ values
        return np.concatenate([w @ (gradient * x), w @ gradient]), hessian

    def at(parameters: np.ndarray) -> Quadratic:
        return _total(
            scores, labels, weights, lambda x: x * parameters[:k].astype(x.dtype) + parameters[k:].astype(x.dtype), work
        )

    found = newton(at, start, anchor, penalty, rounding=_rounding(scores))
    return found[:k], found[k:] - found[k:].mean()


def _rounding(scores: ScoreRows) -> float:
    """The relative rounding error of a sum of losses."""
    return float(np.finfo(scores.dtype).eps)


def column_variances(scores: ScoreRows, weights: np.ndarray | None) -> np.ndarray:
    """The variance of each class's scores, (K,); 1 for a constant one."""

    def work(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        x = scores[rows].astype(np.float64)
        w = np.ones(len(x)) if weights is None else weights[rows]
        return w @ x, w @ (x * x)

    total = float(scores.n if weights is None else np.sum(weights))
    parts = for_each_block(scores.n, scores.n_classes, work)
    mean, square = (np.sum([part[i] for part in parts], axis=0) / total for i in range(2))
    variances = square - mean * mean
    return np.where(variances > 1e-12 * square, variances, 1.0)


def _total(
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    transform: Callable[[np.ndarray], np.ndarray],
    work: Work,
) -> Quadratic:
    """The loss, gradient and Hessian over all rows, block by block; the blocks are summed in float64."""

    def block(rows: slice) -> tuple[float, np.ndarray, np.ndarray]:
        x, y = scores[rows], labels[rows]
        if not np.isfinite(x).all():
            x = below_the_largest(x)
        losses, gradient = loss_and_grad(transform(x), y, reduction="none")
        p = gradient.copy()
        p[np.arange(len(p)), y] += 1.0
        w = np.ones(len(x), x.dtype) if weights is None else weights[rows].astype(x.dtype)
        first, second = work(x, p, gradient, w)
        return float(w @ losses.astype(np.float64)), first.astype(np.float64), second.astype(np.float64)

    parts = for_each_block(scores.n, scores.n_classes, block, entries=ENTRIES)
    value, gradient, hessian = (sum(part[i] for part in parts) for i in range(3))
    return Quadratic(float(value), np.asarray(gradient), np.asarray(hessian))
