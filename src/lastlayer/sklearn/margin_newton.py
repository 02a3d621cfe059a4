"""Newton steps for the margin problem, where every row couples its classes by the Laplacian of a weighted graph.

With weights dᵢⱼ > 0 of the row's inequalities the Hessian is  Σᵢ sᵢ (diag dᵢ − dᵢdᵢᵀ/Σⱼdᵢⱼ) ⊗ xᵢᵀxᵢ + penalty.

It is factored in float32, which halves the time; a few steps of conjugate gradients with exact products
then correct the rounding errors. Near the end of the search the weights differ by orders of magnitude, and float32 may be too
coarse; the matrix is then factored in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve

from lastlayer.sklearn.conjugate_gradients import Step, conjugate_gradients
from lastlayer.sklearn.preconditioner import centred
from lastlayer.sklearn.problem import Floats, LinearProblem

#: A float32 factor is too coarse if conjugate gradients need this many steps.
FEW = 40
#: Added to the diagonal of the scaled matrix, so that it is positive definite in spite of rounding.
RIDGE: dict[Any, float] = {np.float32: 1e-6, np.float64: 1e-12}
#: The largest number of entries of the weighted design held at a time while the matrix is summed.
CHUNK = 10_000_000


def margin_newton(problem: LinearProblem, weights: Floats) -> Callable[[Floats], Floats]:
    """A function that applies H⁻¹ to (D, K), by conjugate gradients, preconditioned by a factor of H."""
    total = weights.sum(axis=1, keepdims=True)
    # d(Σ − d)/Σ with Σ − d summed from the others: the subtraction would cancel if one class outweighs the rest.
    block_weights = problem.row_weight[:, None] * weights * _sum_of_others(weights) / total
    scaled = problem.row_weight[:, None] * weights
    heaviest = weights.argmax(axis=1)[:, None]

    def multiply(step: Floats) -> Floats:
        moved = problem.scores(step)
        # Subtract the value of the class with the largest weight: its rounding error would exceed the part of the others.
        moved -= np.take_along_axis(moved, heaviest, axis=1)
        centre = np.sum(weights * moved, axis=1, keepdims=True) / total
        return problem.pull_back(scaled * (moved - centre)) + problem.penalty * step

    def conjugate(right_hand_side: Floats, precondition: Callable[[Floats], Floats], rtol: float, most: int) -> Step:
        return conjugate_gradients(multiply, right_hand_side, precondition, rtol=rtol, max_iter=most)

    coupling = weights * np.sqrt(problem.row_weight[:, None] / total)
    left: list[tuple[Any, int]] = [(np.float32, FEW), (np.float64, 200)]
    factor: tuple[Callable[[Floats], Floats], int] | None = None

    def solve(right_hand_side: Floats) -> Floats:
        nonlocal factor
        while True:
            if factor is None:
                dtype, most = left.pop(0)
                try:
                    factor = centred(_factored(problem, block_weights, coupling, dtype)), most
                except LinAlgError:
                    if not left:
                        raise
                    continue
            precondition, most = factor
            found = conjugate(right_hand_side, precondition, 1e-6, most)
            if found.products < most or not left:
                return found.step
            factor = None

    return solve


def _sum_of_others(weights: Floats) -> Floats:
    """Σ_{l ≠ j} dᵢₗ. The subtraction can cancel only for the largest entry of a row, so that sum is computed directly."""
    rows, largest = np.arange(len(weights)), weights.argmax(axis=1)
    others = weights.sum(axis=1, keepdims=True) - weights
    rest = weights.copy()
    rest[rows, largest] = 0.0
    others[rows, largest] = rest.sum(axis=1)
    return others


def _factored(
    problem: LinearProblem, block_weights: Floats, coupling: Floats, dtype: Any
) -> Callable[[Floats], Floats]:
    """The Cholesky factor of the whole matrix, (K·D, K·D), class by class.

    Raises:
        LinAlgError: the matrix is not positive definite, or not finite, in this dtype.
    """
    classes, size = problem.classes, problem.penalty.size
    hessian: np.ndarray = np.zeros((classes * size, classes * size), dtype, order="F")
    add_products = blas.ssyrk if dtype is np.float32 else blas.dsyrk
    step = max(1, CHUNK // (classes * size))
    for first in range(0, len(coupling), step):
        design = problem.design[first : first + step]
        with np.errstate(all="ignore"):
            design = (design if isinstance(design, np.ndarray) else design.toarray()).astype(dtype, copy=False)
            chunk: np.ndarray = coupling[first : first + step].astype(dtype, copy=False)
            # Row i of the Khatri–Rao product is √(sᵢ/Σdᵢ)·dᵢ ⊗ xᵢ; its Gram matrix holds the coupling off the diagonal blocks.
            coupled = (chunk[:, :, None] * design[:, None, :]).reshape(len(design), -1)
        hessian = add_products(-1.0, coupled.T, beta=1.0, c=hessian, lower=1, overwrite_c=1)
    for k in range(classes):
        block = slice(k * size, (k + 1) * size)
        with np.errstate(over="ignore", under="ignore"):
            hessian[block, block] = problem.gram(block_weights[:, k]) + np.diag(problem.penalty[:, 0])
    if not (np.isfinite(np.diag(hessian)) & (np.diag(hessian) > 0)).all():
        raise LinAlgError(f"{np.dtype(dtype)} cannot represent this matrix.")
    scale = 1.0 / np.sqrt(np.diag(hessian))
    hessian *= scale
    hessian *= scale[:, None]
    # H is singular along equal shifts of all intercepts; a small ridge makes it invertible.
    hessian[np.diag_indices_from(hessian)] += RIDGE[dtype]
    factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)

    def precondition(gradient: Floats) -> Floats:
        # Divide by the largest entry: float32 cannot represent very small gradients.
        largest = np.abs(gradient).max() or 1.0
        solved = scale * cho_solve(factor, scale * (gradient.T.ravel() / largest).astype(dtype), check_finite=False)
        return largest * solved.astype(np.float64).reshape(classes, size).T

    return precondition
