"""Variables in which scales, offsets, correlations and spare features of a design cost a solver nothing.

With the weighted mean μ and B = √s (X − μ) = U S Qᵀ the scores Xw + b equal (X − μ)Q v + b′ for v = Qᵀw and b′ = b + μᵀw. The
columns of (X − μ)Q are uncorrelated with mean squares S². Under an L2 penalty the optimal w is in the span of Q (representer
theorem), so no more columns than rows are kept: Q is computed from the smaller of BᵀB and BBᵀ.

Sparse designs, which subtracting μ would make dense, very large ones, and columns whose sizes differ by more than float64 can
hold in one matrix product are only standardised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import eigh, svd

from lastlayer.sklearn.problem import Floats, LinearProblem
from lastlayer.sklearn.standardised import standardise

#: Decompose a Gram matrix of at most this many rows.
WIDEST = 1000
#: Largest ratio of the spreads of two columns that are rotated into one another.
LARGEST_RATIO = 1e6
#: Drop a direction whose mean square, relative to the largest one, rounding could have made.
ROUNDING = 1e-14
#: Mean squares that the squared matrix represents to four digits; below, decompose the matrix itself.
PRECISE = 1e-11


@dataclass(frozen=True)
class Coordinates:
    """A problem in the variables (v, b′), with the transformations in both directions."""

    #: Its penalty is that of v, its last column is still the intercept.
    problem: LinearProblem
    #: (D, 1): mean square of each column; exact zeros off the diagonal of the Gram matrix if `is_uncorrelated`.
    moments: Floats
    #: (D, 1): e with b = eᵀθ, the intercepts of the original features; None without intercepts.
    to_intercept: Floats | None
    is_uncorrelated: bool
    #: (w, b) → (v, b′) and back.
    enter: Callable[[Floats], Floats]
    leave: Callable[[Floats], Floats]
    #: ∂/∂(v, b′) → ∂/∂(w σ, b′), the gradient in standardised features.
    standardised_gradient: Callable[[Floats], Floats]

    def with_penalty(self, factor: float) -> Coordinates:
        """The same variables with a penalty `factor` times as large."""
        return replace(self, problem=replace(self.problem, penalty=factor * self.problem.penalty))

    def sketch(self, rows: np.ndarray | None) -> Coordinates:
        """The same variables with a float32 design and only some rows, whose weights keep the sum of every class.

        The penalty grows like 1/rows, as it does for the same C.
        """
        problem = self.problem
        if rows is None:
            return replace(self, problem=replace(problem, design=problem.design.astype(np.float32)))
        labels, weight = problem.labels[rows], problem.row_weight[rows]
        weight = weight * (problem.frequencies / np.bincount(labels, weight, problem.classes))[labels]
        penalty = problem.penalty * (len(problem.labels) / len(rows))
        design = problem.design[rows].astype(np.float32)
        return replace(self, problem=replace(problem, design=design, labels=labels, row_weight=weight, penalty=penalty))


def coordinates(problem: LinearProblem, *, keeps_offset: bool = False) -> Coordinates:
    """Rotate if the design is dense and either its rows or its columns are few enough; otherwise standardise.

    With `keeps_offset` the objective depends on the original intercepts, and μ's part outside the span of Q stays a variable.
    """
    width = problem.penalty.size - problem.has_intercept
    of_weights = problem.penalty[:width, 0]
    if sparse.issparse(problem.design) or not width or np.ptp(of_weights) > 0:
        return standardised(problem)
    if min(len(problem.labels), width) > WIDEST:
        return standardised(problem)
    features = problem.design[:, :width]
    mean = problem.row_weight @ features if problem.has_intercept else np.zeros(width)
    centred = features - mean
    spread = np.sqrt(np.einsum("i,ij,ij->j", problem.row_weight, centred, centred))
    varying = spread[spread > 1e-12 * np.abs(mean)]
    if not varying.size or not np.isfinite(spread).all() or varying.max() > LARGEST_RATIO * varying.min():
        return standardised(problem)
    return _rotated(problem, centred, mean, spread, keeps_offset)


def _rotated(problem: LinearProblem, centred: Floats, mean: Floats, spread: Floats, keeps_offset: bool) -> Coordinates:
    squares, basis = principal_axes(centred, problem.row_weight)
    offset = basis.T @ mean
    if keeps_offset:
        outside = mean - basis @ offset
        size = float(np.linalg.norm(outside))
        if size > 1e-9 * float(np.linalg.norm(mean)):
            basis = np.hstack([basis, outside[:, None] / size])
            offset, squares = np.append(offset, size), np.append(squares, 0.0)
    ones = np.ones((len(centred), int(problem.has_intercept)))
    design = np.hstack([centred @ basis, ones])
    if keeps_offset and squares.size and squares[-1] == 0.0:
        design[:, squares.size - 1] = 0.0
    penalty = np.full((design.shape[1], 1), problem.penalty[0, 0])
    moments = np.append(squares, ones[:1].ravel())[:, None]
    to_intercept = None
    if problem.has_intercept:
        penalty[-1] = 0.0
        to_intercept = np.append(-offset, 1.0)[:, None]
    size_of = np.where(spread > 1e-12 * np.abs(mean), spread, np.inf)[:, None]

    def enter(theta: Floats) -> Floats:
        weights = theta[: len(mean)]
        inner = basis.T @ weights
        return np.vstack([inner, theta[-1:] + mean @ weights]) if problem.has_intercept else inner

    def leave(theta: Floats) -> Floats:
        weights = basis @ theta[: basis.shape[1]]
        return np.vstack([weights, theta[-1:] - mean @ weights]) if problem.has_intercept else weights

    def standardised_gradient(gradient: Floats) -> Floats:
        return np.vstack([basis @ gradient[: basis.shape[1]] / size_of, gradient[basis.shape[1] :]])

    inner = replace(problem, design=design, penalty=penalty, exponents=None)
    return Coordinates(inner, moments, to_intercept, True, enter, leave, standardised_gradient)


def principal_axes(centred: Floats, row_weight: Floats) -> tuple[Floats, Floats]:
    """Mean squares S² (r,) and orthonormal axes Q (d, r) of √s (X − μ), without directions that are zero up to rounding."""
    rows, width = centred.shape
    weighted = centred * np.sqrt(row_weight)[:, None]
    is_wide = rows < width
    squares, vectors = eigh(
        weighted @ weighted.T if is_wide else weighted.T @ weighted, driver="evd", check_finite=False
    )
    largest = squares[-1]
    doubtful = (squares > ROUNDING * largest) & (squares < PRECISE * largest)
    if doubtful.sum() > 1:
        _, sizes, axes = svd(weighted, full_matrices=False, check_finite=False)
        kept = sizes > ROUNDING * sizes[0]
        return sizes[kept] ** 2, np.ascontiguousarray(axes[kept].T)
    kept = squares >= PRECISE * largest
    squares, vectors = squares[kept], vectors[:, kept]
    if is_wide:
        vectors = (weighted.T @ vectors) / np.sqrt(squares)
    return squares, vectors


def standardised(problem: LinearProblem) -> Coordinates:
    """Scaled and, if dense with intercepts, centred features, not rotated."""
    found = standardise(problem)
    inner = found.problem
    to_intercept = None
    if problem.has_intercept:
        to_intercept = np.vstack([-found.mean / found.scale, [[1.0]]])
    moments = inner.gram_diagonals(inner.row_weight[:, None])
    return Coordinates(inner, moments, to_intercept, False, found.enter, found.leave, lambda gradient: gradient)
