"""Matrix scaling with a penalty on what it changes beyond a temperature.

Sources: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2; Kull, Perello-Nieto, Kängsepp,
Silva Filho, Song & Flach 2019, Beyond temperature scaling, section 4 (the penalty of off-diagonal entries and biases).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from lastlayer.calibration.affine import ENTRIES, centred, from_centre
from lastlayer.calibration.columns import Columns
from lastlayer.calibration.counted import is_finite
from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import loss_and_grad

#: Penalties that are tried, in rows, the strongest first.
PENALTIES = (1000.0, 100.0, 10.0, 1.0)
#: The penalty is chosen on a fifth of the rows, and on at most this number in all.
MOST_ROWS_TO_CHOOSE = 5000


@dataclass(frozen=True)
class Matrix:
    """W (K, K) and b (K,) of p = softmax(W x + b), and the penalty with which they were fitted."""

    matrix: np.ndarray
    bias: np.ndarray
    penalty: float


def fit_matrix(
    scores: ScoreRows, labels: np.ndarray, weights: np.ndarray | None, columns: Columns, beta: float, seed: int = 0
) -> Matrix:
    """Minimize Σ loss + ½ penalty (Σ_kj v_j (W − β I)²_kj + Σ (c − β m)²), v_j and m_j the variance and mean of class j's scores.

    Here W x + b = W (x − m) + c, so the penalty does not depend on an offset that all scores share. The penalty is the one with the
    least loss on a fifth of the rows, after a fit to the others; then all rows are fitted.

    Raises:
        ValueError: a score is infinite.
    """
    if not is_finite(scores):
        raise ValueError(
            "A score is infinite, and matrix scaling adds up the scores of a row, which leaves no number; give finite scores, or "
            "another map."
        )
    order = np.random.default_rng(seed).permutation(scores.n)[:MOST_ROWS_TO_CHOOSE]
    held, fitted = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])

    def of(rows: np.ndarray) -> _Rows:
        return _Rows(scores.take(rows), labels[rows], None if weights is None else weights[rows], columns)

    best, start = (np.inf, PENALTIES[0]), _anchor(columns, beta)
    if len(held):
        part, judged = of(fitted), of(held)
        for penalty in PENALTIES:
            start = _fit(part, beta, penalty, start)
            best = min(best, (_total(judged, start)[0], penalty))
    found = _fit(_Rows(scores, labels, weights, columns), beta, best[1], start)
    k = scores.n_classes
    matrix = found[: k * k].reshape(k, k)
    return Matrix(matrix, from_centre(matrix, found[k * k :], columns), best[1])


@dataclass(frozen=True)
class _Rows:
    """Scores, labels and weights of the same rows, and the columns of all rows."""

    scores: ScoreRows
    labels: np.ndarray
    weights: np.ndarray | None
    columns: Columns


def _anchor(columns: Columns, beta: float) -> np.ndarray:
    """W = β I and c = β m: the temperature alone."""
    bias = centred(beta * (columns.mean - columns.mean[0]))
    return np.concatenate([(beta * np.eye(len(bias))).ravel(), bias])


def _fit(rows: _Rows, beta: float, penalty: float, start: np.ndarray) -> np.ndarray:
    """L-BFGS in variables in which every score has a variance of 1."""
    k = rows.scores.n_classes
    scale = np.concatenate([np.tile(np.sqrt(rows.columns.variance), k), np.ones(k)])
    anchor = _anchor(rows.columns, beta)
    total = float(rows.scores.n if rows.weights is None else np.sum(rows.weights))

    def at(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _total(rows, scaled / scale)
        moved = scaled - anchor * scale
        value += 0.5 * penalty * float(moved @ moved)
        return value / total, (gradient / scale + penalty * moved) / total

    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
    found = optimize.minimize(at, start * scale, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x / scale)


def _total(rows: _Rows, parameters: np.ndarray) -> tuple[float, np.ndarray]:
    """The weighted sum of the losses, and its gradient."""
    scores, labels, weights = rows.scores, rows.labels, rows.weights
    k = scores.n_classes
    matrix, bias = parameters[: k * k].reshape(k, k), parameters[k * k :]

    def block(part: slice) -> tuple[float, np.ndarray, np.ndarray]:
        x = scores[part].astype(np.float64) - rows.columns.mean
        w = np.ones(len(x)) if weights is None else weights[part]
        losses, gradient = loss_and_grad(x @ matrix.T + bias, labels[part], reduction="none")
        weighted = w[:, None] * gradient
        return float(w @ losses), weighted.T @ x, weighted.sum(axis=0)

    parts = for_each_block(scores.n, k, block, entries=ENTRIES)
    value, for_matrix, for_bias = (sum(part[i] for part in parts) for i in range(3))
    return float(value), np.concatenate([np.ravel(for_matrix), np.asarray(for_bias)])
