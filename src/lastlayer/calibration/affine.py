"""Temperature with a bias per class, and vector scaling, by Newton's method on a convex loss.

Sources: Platt 1999, Probabilistic outputs for support vector machines (two classes); Alexandari, Kundaje & Shrikumar 2020,
Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation (temperature and bias); Guo, Pleiss,
Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2 (vector scaling).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lastlayer.calibration.columns import Columns
from lastlayer.calibration.derivatives import FAR, below_the_largest
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
    return float(found[0]), centred(found[1:])


def fit_vector(
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    columns: Columns,
    beta: float = 1.0,
    first: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(w, b) of p = softmax(w ∘ x + b), (K,) each; the search begins at `first`.

    With m the means of the columns, w ∘ x + b = w ∘ (x − m) + c. The penalty draws w to β and c to β m, which is the temperature
    alone: it does not depend on an offset that all scores share.
    """
    k = scores.n_classes
    anchor = np.concatenate([np.full(k, beta), centred(beta * (columns.mean - columns.mean[0]))])
    start = anchor if first is None else np.concatenate([first[0], at_centre(np.diag(first[0]), first[1], columns)])
    penalty = np.concatenate([columns.variance, np.ones(k)])
    centre = columns.mean.astype(scores.dtype)

    def work(x: np.ndarray, p: np.ndarray, gradient: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = np.concatenate([p * x, p], axis=1)
        hessian = -(w[:, None] * both).T @ both
        # Σ_k p_k of the squares and products of x_k and 1 is on the diagonals of the four blocks.
        for row, column, values in ((0, 0, both[:, :k] * x), (0, k, both[:, :k]), (k, 0, both[:, :k]), (k, k, p)):
            hessian[row + np.arange(k), column + np.arange(k)] += w @ values
        return np.concatenate([w @ (gradient * x), w @ gradient]), hessian

    def at(parameters: np.ndarray) -> Quadratic:
        def transform(x: np.ndarray) -> np.ndarray:
            return x * parameters[:k].astype(x.dtype) + parameters[k:].astype(x.dtype)

        return _total(scores, labels, weights, transform, work, centre)

    found = newton(at, start, anchor, penalty, rounding=_rounding(scores))
    return found[:k], from_centre(np.diag(found[:k]), found[k:], columns)


def at_centre(matrix: np.ndarray, bias: np.ndarray, columns: Columns) -> np.ndarray:
    """c (K,) of mean 0, such that W x + b = W (x − m) + c for all x, up to a number that all classes share."""
    return centred(bias + _moved(matrix, columns))


def from_centre(matrix: np.ndarray, bias: np.ndarray, columns: Columns) -> np.ndarray:
    """b (K,) of mean 0 from c, as in `at_centre`."""
    return centred(bias - _moved(matrix, columns))


def centred(values: np.ndarray) -> np.ndarray:
    """Values (K,) minus their mean, which no probability sees."""
    return np.asarray(values - values.mean())


def _moved(matrix: np.ndarray, columns: Columns) -> np.ndarray:
    """W m, without what all classes share: a common offset of 10⁶ would take the digits of the rest."""
    offset, sums = columns.mean[0], matrix.sum(axis=1)
    return np.asarray(matrix @ (columns.mean - offset) + offset * (sums - sums[0]))


def _rounding(scores: ScoreRows) -> float:
    """The relative rounding error of a sum of losses."""
    return float(np.finfo(scores.dtype).eps)


def _total(
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    transform: Callable[[np.ndarray], np.ndarray],
    work: Work,
    centre: np.ndarray | None = None,
) -> Quadratic:
    """The loss, gradient and Hessian over all rows, block by block; the blocks are summed in float64.

    `transform` and `work` get the scores minus `centre`, or those below the largest of their row.
    """

    def block(rows: slice) -> tuple[float, np.ndarray, np.ndarray]:
        x, y = scores[rows], labels[rows]
        x = below_the_largest(x) if centre is None else _finite(x) - centre
        w = np.ones(len(x), x.dtype) if weights is None else weights[rows].astype(x.dtype)
        # A step too far gives infinite numbers, and is taken back because of its loss.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            losses, gradient = loss_and_grad(transform(x), y, reduction="none", on_domain="nan")
            p = gradient.copy()
            p[np.arange(len(p)), y] += 1.0
            first, second = work(x, p, gradient, w)
        return float(w @ losses.astype(np.float64)), first.astype(np.float64), second.astype(np.float64)

    parts = for_each_block(scores.n, scores.n_classes, block, entries=ENTRIES)
    value, gradient, hessian = (sum(part[i] for part in parts) for i in range(3))
    return Quadratic(float(value), np.asarray(gradient), np.asarray(hessian))


def _finite(x: np.ndarray) -> np.ndarray:
    """Scores with `FAR` for −inf; a row with +inf has those below it."""
    if np.isfinite(x).all():
        return x
    has_most = (x == np.inf).any(axis=-1, keepdims=True)
    return np.where(has_most, below_the_largest(x), np.where(np.isinf(x), x.dtype.type(FAR), x))
