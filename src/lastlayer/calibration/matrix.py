"""Matrix scaling with a penalty on what it changes beyond a temperature.

Sources: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2; Kull, Perello-Nieto, Kängsepp,
Silva Filho, Song & Flach 2019, Beyond temperature scaling, section 4 (the penalty of off-diagonal entries and biases).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from lastlayer.calibration.affine import ENTRIES, column_variances
from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import loss, loss_and_grad

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


def fit_matrix(scores: ScoreRows, labels: np.ndarray, weights: np.ndarray | None, beta: float, seed: int = 0) -> Matrix:
    """Minimize Σ loss + ½ penalty (Σ_kj v_j (W − β I)²_kj + Σ b²), v_j the variance of class j's scores.

    The penalty is the one with the least loss on a fifth of the rows, after a fit to the others; then all rows are fitted.
    """
    order = np.random.default_rng(seed).permutation(scores.n)[:MOST_ROWS_TO_CHOOSE]
    held, fitted = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
    best, start = (np.inf, PENALTIES[0]), _identity(scores.n_classes, beta)
    if len(held):
        part = scores.take(fitted)
        for penalty in PENALTIES:
            start = _fit(part, labels[fitted], None if weights is None else weights[fitted], beta, penalty, start)
            held_loss = _loss(scores.take(held), labels[held], start)
            best = min(best, (held_loss, penalty))
    found = _fit(scores, labels, weights, beta, best[1], start)
    k = scores.n_classes
    return Matrix(found[: k * k].reshape(k, k), found[k * k :] - found[k * k :].mean(), best[1])


def _identity(k: int, beta: float) -> np.ndarray:
    return np.concatenate([(beta * np.eye(k)).ravel(), np.zeros(k)])


def _fit(
    scores: ScoreRows, labels: np.ndarray, weights: np.ndarray | None, beta: float, penalty: float, start: np.ndarray
) -> np.ndarray:
    """L-BFGS in variables in which every score has a variance of 1."""
    k = scores.n_classes
    scale = np.concatenate([np.tile(np.sqrt(column_variances(scores, weights)), k), np.ones(k)])
    anchor = _identity(k, beta)

    def at(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = scaled / scale
        value, gradient = _total(scores, labels, weights, parameters)
        moved = scaled - anchor * scale
        return (value + 0.5 * penalty * float(moved @ moved)) / scores.n, (
            gradient / scale + penalty * moved
        ) / scores.n

    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
    found = optimize.minimize(at, start * scale, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x / scale)


def _total(
    scores: ScoreRows, labels: np.ndarray, weights: np.ndarray | None, parameters: np.ndarray
) -> tuple[float, np.ndarray]:
    k = scores.n_classes
    matrix, bias = parameters[: k * k].reshape(k, k), parameters[k * k :]

    def block(rows: slice) -> tuple[float, np.ndarray, np.ndarray]:
        x = scores[rows].astype(np.float64)
        w = np.ones(len(x)) if weights is None else weights[rows]
        losses, gradient = loss_and_grad(x @ matrix.T + bias, labels[rows], reduction="none")
        weighted = w[:, None] * gradient
        return float(w @ losses), weighted.T @ x, weighted.sum(axis=0)

    parts = for_each_block(scores.n, k, block, entries=ENTRIES)
    value, for_matrix, for_bias = (sum(part[i] for part in parts) for i in range(3))
    return float(value), np.concatenate([np.ravel(for_matrix), np.asarray(for_bias)])


def _loss(scores: ScoreRows, labels: np.ndarray, parameters: np.ndarray) -> float:
    k = scores.n_classes
    x = scores.block(0, scores.n).astype(np.float64)
    return float(loss(x @ parameters[: k * k].reshape(k, k).T + parameters[k * k :], labels))
