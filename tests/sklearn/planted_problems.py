"""Small synthetic problems, and their optima, found without any solver of lastlayer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import LinearConstraint, minimize

CLASSES = 3


def blobs(rows: int = 30, features: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping, unbalanced classes, so that no loss is zero and no optimum is at infinity."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(CLASSES), random.choice(CLASSES, size=rows - CLASSES, p=[0.5, 0.3, 0.2])])
    centres = random.normal(size=(CLASSES, features))
    return centres[labels] + random.normal(size=(rows, features)), labels


#: p (n, K) → the value of a conjugate, summed over the rows, and its gradient.
Conjugate = Callable[[np.ndarray], tuple[float, np.ndarray]]


def dual_optimum(X: np.ndarray, labels: np.ndarray, C: float, conjugate: Conjugate) -> tuple[float, np.ndarray]:
    """The optimum of Σ loss + ½‖W‖²/C for loss(x, t) = max over the simplex of ⟨p − e_t, x⟩ + conjugate(p), by its dual.

    maximise  Σᵢ conjugate(pᵢ) − C/2 ‖Σᵢ (pᵢ − e_{tᵢ}) zᵢᵀ‖²  over pᵢ in the simplex, with Σᵢ pᵢ = Σᵢ e_{tᵢ} (free intercepts).
    Returns the value and W (K, d). No formula of the library is used.
    """
    n = len(labels)
    targets = np.eye(CLASSES)[labels]

    def negative(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = conjugate(p.reshape(n, CLASSES))
        weights = C * (targets - p.reshape(n, CLASSES)).T @ X
        return 0.5 / C * float(np.sum(weights**2)) - value, (-X @ weights.T - gradient).ravel()

    rows = np.kron(np.eye(n), np.ones(CLASSES))
    # The last column sum follows from the others.
    columns = np.kron(np.ones(n), np.eye(CLASSES))[:-1]
    sums = np.concatenate([np.ones(n), targets.sum(axis=0)[:-1]])
    start = np.tile(targets.mean(axis=0), n)
    result = minimize(
        negative, start, jac=True, method="SLSQP", bounds=[(0, 1)] * start.size,
        constraints=LinearConstraint(np.vstack([rows, columns]), sums, sums), options={"maxiter": 2000, "ftol": 1e-14},
    )  # fmt: skip
    return -float(result.fun), C * (targets - result.x.reshape(n, CLASSES)).T @ X


def hinge_optimum(X: np.ndarray, labels: np.ndarray, C: float) -> float:
    """The multiclass hinge as a quadratic program: minimise Σξ + ½‖W‖²/C, ξᵢ ≥ xᵢⱼ − x_{i,t} + 1 for j ≠ t, ξ ≥ 0."""
    n, d = X.shape
    k = CLASSES
    rows = []
    for i, t in enumerate(labels):
        for j in range(k):
            row = np.zeros(k * (d + 1) + n)
            row[k * (d + 1) + i] = 1.0
            if j != t:
                row[j * d : (j + 1) * d] -= X[i]
                row[t * d : (t + 1) * d] += X[i]
                row[k * d + j] -= 1.0
                row[k * d + t] += 1.0
            rows.append(np.append(row, float(j != t)))
    table = np.array(rows)
    result = minimize(
        lambda v: v[k * (d + 1) :].sum() + 0.5 / C * np.sum(v[: k * d] ** 2),
        np.concatenate([np.zeros(k * (d + 1)), np.ones(n)]),
        jac=lambda v: np.concatenate([v[: k * d] / C, np.zeros(k), np.ones(n)]),
        method="SLSQP",
        constraints=LinearConstraint(table[:, :-1], table[:, -1], np.inf),
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    return float(result.fun)


def best_of_starts(
    objective: Callable[[np.ndarray], float], starts: list[np.ndarray], constraints: list[dict[str, object]]
) -> float:
    """The smallest value that SLSQP with finite differences reaches from any of the starts."""
    with np.errstate(all="ignore"):
        results = [
            minimize(
                objective, start, method="SLSQP", constraints=constraints, options={"maxiter": 3000, "ftol": 1e-14}
            )
            for start in starts
        ]
    return min(float(result.fun) for result in results if np.isfinite(result.fun))
