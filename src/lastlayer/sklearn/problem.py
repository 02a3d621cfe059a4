"""The problem that every solver gets: rows, labels, weights and penalty, scaled once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lastlayer.sklearn.column_scale import (
    LARGEST_PENALTY,
    Exponents,
    column_exponents,
    column_sizes,
    rescale_weights,
    scale_columns,
    scale_penalty,
    unscale_weights,
    without_columns,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearProblem:
    """Minimise Σᵢ sᵢ·lossᵢ(xᵢθ) + ½ Σ penalty·θ² over θ of shape (D, K), one column per class.

    This is the estimator's objective divided by the total sample weight, so that Σ sᵢ = 1 and gradients do not grow with the
    number of rows. With an intercept, the last column of the design is ones and has penalty 0.
    """

    #: (N, D), dense or CSR; a sparse design is never made dense. Scores and products have its dtype.
    design: Any
    #: (N,), 0 … K − 1, every class present.
    labels: NDArray[np.intp]
    #: (N,), positive, summing to one.
    row_weight: Floats
    #: (D, 1): 1/(C Σ sample_weight) for a column that was not scaled; 0 for the intercept.
    penalty: Floats
    classes: int
    has_intercept: bool
    #: (d,): column j of the features was multiplied by 2 to the −exponents[j]; None if no column was.
    exponents: Exponents | None = None

    @cached_property
    def targets(self) -> Floats:
        """The labels as one-hot rows, (N, K)."""
        return np.eye(self.classes)[self.labels]

    @cached_property
    def frequencies(self) -> Floats:
        """The weighted frequency of each class, (K,)."""
        return np.asarray(np.bincount(self.labels, self.row_weight, self.classes), dtype=np.float64)

    @cached_property
    def _squared_design(self) -> Any:
        return self.design.multiply(self.design).tocsr() if sparse.issparse(self.design) else self.design**2

    def scores(self, theta: Floats) -> Floats:
        """xᵢθ, (N, K)."""
        return np.asarray(self.design @ theta.astype(self.design.dtype, copy=False))

    def pull_back(self, grad_scores: Floats) -> Floats:
        """Σᵢ xᵢᵀ gᵢ: the gradient in θ (D, K) from the gradient in the scores (N, K)."""
        return np.asarray(self.design.T @ grad_scores)

    def penalised(self, theta: Floats) -> float:
        """½ Σ penalty·θ²."""
        return 0.5 * float(np.sum(self.penalty * theta**2))

    def gram(self, weights: Floats) -> Floats:
        """Σᵢ wᵢ xᵢᵀxᵢ, (D, D), for weights ≥ 0 of (N,)."""
        if sparse.issparse(self.design):
            return np.asarray((self.design.T @ self.design.multiply(weights[:, None]).tocsr()).toarray())
        # A product of a matrix with its transpose, for which BLAS computes only one triangle.
        half = self.design * np.sqrt(weights)[:, None]
        return np.asarray(half.T @ half)

    def gram_diagonals(self, weights: Floats) -> Floats:
        """The diagonal of `gram` for every class at once: weights (N, K) → (D, K)."""
        return np.asarray(self._squared_design.T @ weights)


@dataclass(frozen=True)
class Solution:
    """The result of a solver."""

    theta: Floats
    #: The objective of the scaled problem.
    objective: float
    iterations: int
    converged: bool
    #: How far from the optimum it stopped, in words, for the warning.
    distance: str
    #: Whether it stopped on purpose before `tol`, since more work would have gained little.
    is_cut_short: bool = False


def linear_problem(
    features: Any, labels: NDArray[np.intp], sample_weight: Floats, classes: int, *, C: float, fit_intercept: bool
) -> LinearProblem:
    """Scale weights and columns, drop rows of weight 0, and append the column of ones.

    Raises:
        ValueError: the penalty 1/(C Σ sample_weight) overflows.
    """
    # A row of weight 0 must have no effect; in particular its scores need not stay inside the domain.
    counted = sample_weight > 0
    if not counted.all():
        features, labels, sample_weight = features[counted], labels[counted], sample_weight[counted]
    # Divide by the largest weight, so that the sum is finite.
    largest = float(sample_weight.max())
    row_weight = sample_weight / largest
    total = float(row_weight.sum())
    strength = _penalty(C, total, largest)
    sizes = column_sizes(features)
    is_dropped = scale_penalty(strength, sizes) > LARGEST_PENALTY
    if is_dropped.any():
        features, sizes = without_columns(features, is_dropped), np.where(is_dropped, 0, sizes)
    exponents = column_exponents(sizes, strength)
    if exponents.any():
        features = scale_columns(features, exponents)
    weights_penalty = np.where(is_dropped, 1.0, scale_penalty(strength, exponents))
    penalty = weights_penalty[:, None]
    if fit_intercept:
        ones = np.ones((features.shape[0], 1))
        features = (
            sparse.hstack([features, ones], format="csr") if sparse.issparse(features) else np.hstack([features, ones])
        )
        penalty = np.vstack([penalty, [[0.0]]])
    return LinearProblem(features, labels, row_weight / total, penalty, classes, fit_intercept, exponents)


def _penalty(C: float, total: float, largest: float) -> float:
    strength = 1.0 / C / total / largest
    if not np.isfinite(strength):
        raise ValueError(
            f"C is {C:g} and the sample weights sum to {total * largest:g}, so that the penalty 1/(C·sum) is not finite; "
            "give a larger C."
        )
    return strength


def split_theta(problem: LinearProblem, theta: Floats) -> tuple[Floats, Floats]:
    """θ (D, K) as weights (d, K) of the original features and intercepts (K,); zero intercepts if the model has none.

    Raises:
        ValueError: a weight overflows.
    """
    weights, intercepts = (
        (theta[:-1], theta[-1].copy()) if problem.has_intercept else (theta, np.zeros(problem.classes))
    )
    if problem.exponents is not None and problem.exponents.any():
        weights = unscale_weights(weights, problem.exponents)
        if not np.isfinite(weights).all():
            raise ValueError(
                "a weight is larger than the largest float64, since its column holds numbers close to 0; bring the features "
                "to a common scale."
            )
    return weights, intercepts


def join_theta(problem: LinearProblem, weights: Floats, intercepts: Floats) -> Floats | None:
    """θ for weights (d, K) and intercepts (K,); None if it is not finite, or if the shapes do not fit this problem."""
    theta = np.vstack([weights, intercepts]) if problem.has_intercept else weights
    if theta.shape != (problem.penalty.size, problem.classes):
        return None
    if problem.exponents is not None and problem.exponents.any():
        theta = np.vstack([rescale_weights(weights, problem.exponents), *theta[len(weights) :]])
    return theta if np.isfinite(theta).all() else None
