"""Newton steps for the margin problem: every row couples its classes as a weighted graph does, by a Laplacian.

With weights dᵢⱼ > 0 of the row's inequalities the Hessian is  Σᵢ sᵢ (diag dᵢ − dᵢdᵢᵀ/Σⱼdᵢⱼ) ⊗ xᵢᵀxᵢ + penalty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import blas, cho_factor, cho_solve

from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.problem import Floats, LinearProblem

#: Variables up to which the matrix is factored (72 MB of float64).
AFFORDABLE = 3000
#: Entries of the scaled designs that are held at once while it is summed.
CHUNK = 10_000_000


def margin_newton(problem: LinearProblem, weights: Floats) -> Callable[[Floats], Floats]:
    """(D, K) right-hand sides → H⁻¹ of them, by conjugate gradients after one factorisation where that is affordable."""
    total = weights.sum(axis=1, keepdims=True)
    # d(Σ − d)/Σ with Σ − d summed from the others: subtracting would leave nothing where one class outweighs the rest.
    own = problem.row_weight[:, None] * weights * _sum_of_others(weights) / total
    scaled = problem.row_weight[:, None] * weights
    affordable = problem.penalty.size * problem.classes <= AFFORDABLE
    precondition = (
        _factored(problem, own, weights * np.sqrt(problem.row_weight[:, None] / total))
        if affordable
        else _diagonal(problem, own)
    )

    def multiply(step: Floats) -> Floats:
        moved = problem.scores(step)
        centre = np.sum(weights * moved, axis=1, keepdims=True) / total
        return problem.pull_back(scaled * (moved - centre)) + problem.penalty * step

    def solve(right_hand_side: Floats) -> Floats:
        return conjugate_gradients(
            multiply, right_hand_side, precondition, rtol=1e-6 if affordable else 1e-3, max_iter=200
        ).step

    return solve


def _sum_of_others(weights: Floats) -> Floats:
    """Σ_{l ≠ j} dᵢₗ; only the largest entry of a row can cancel, and that one is summed anew."""
    rows, largest = np.arange(len(weights)), weights.argmax(axis=1)
    others = weights.sum(axis=1, keepdims=True) - weights
    rest = weights.copy()
    rest[rows, largest] = 0.0
    others[rows, largest] = rest.sum(axis=1)
    return others


def _diagonal(problem: LinearProblem, own: Floats) -> Callable[[Floats], Floats]:
    inverse = 1.0 / (problem.gram_diagonals(own) + problem.penalty)
    return lambda gradient: inverse * gradient


def _factored(problem: LinearProblem, own: Floats, halves: Floats) -> Callable[[Floats], Floats]:
    """The Cholesky factor of the whole matrix, (K·D, K·D), class by class."""
    classes, size = problem.classes, problem.penalty.size
    hessian = np.zeros((classes * size, classes * size), order="F")
    step = max(1, CHUNK // (classes * size))
    for first in range(0, len(halves), step):
        design = problem.design[first : first + step]
        design = design if isinstance(design, np.ndarray) else design.toarray()
        # Row i of the Khatri–Rao product is √(sᵢ/Σdᵢ)·dᵢ ⊗ xᵢ; what is off its diagonal blocks is the coupling.
        coupled = (halves[first : first + step, :, None] * design[:, None, :]).reshape(len(design), -1)
        hessian = blas.dsyrk(-1.0, coupled.T, beta=1.0, c=hessian, lower=1, overwrite_c=1)
    for k in range(classes):
        block = slice(k * size, (k + 1) * size)
        hessian[block, block] = problem.gram(own[:, k]) + np.diag(problem.penalty[:, 0])
    scale = 1.0 / np.sqrt(np.diag(hessian))
    hessian *= scale
    hessian *= scale[:, None]
    # Equal shifts of all intercepts change nothing: that direction needs a little weight to be invertible.
    hessian[np.diag_indices_from(hessian)] += 1e-12
    factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)

    def precondition(gradient: Floats) -> Floats:
        solved = scale * cho_solve(factor, scale * gradient.T.ravel(), check_finite=False)
        return solved.reshape(classes, size).T

    return precondition
