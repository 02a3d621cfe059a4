"""The same problem with standardised features, so that scales and offsets cost no iterations and no digits.

With features z = (x − μ)/σ the scores wᵀx + b equal vᵀz + b′ for v = σw and b′ = b + wᵀμ, and λ‖w‖² = λ‖v/σ‖².
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from lastlayer.sklearn.problem import Floats, LinearProblem

#: A feature whose spread is this small, relative to its size, is constant up to rounding.
CONSTANT = 1e-12


@dataclass(frozen=True)
class StandardisedProblem:
    """A problem in the variables (v, b′), with the transformations in both directions."""

    problem: LinearProblem
    #: (d, 1) each. μ is zero without an intercept, and for sparse features, which subtracting it would make dense.
    mean: Floats
    scale: Floats

    def enter(self, theta: Floats) -> Floats:
        """(w, b) → (v, b′)."""
        return self._join(self.scale * self._weights(theta), theta, self.mean)

    def leave(self, theta: Floats) -> Floats:
        """(v, b′) → (w, b)."""
        return self._join(self._weights(theta) / self.scale, theta, -self.mean / self.scale)

    def _weights(self, theta: Floats) -> Floats:
        return theta[: len(self.scale)]

    def _join(self, weights: Floats, theta: Floats, offset: Floats) -> Floats:
        if not self.problem.has_intercept:
            return weights
        return np.vstack([weights, theta[-1:] + np.sum(offset * self._weights(theta), axis=0)])


def standardise(problem: LinearProblem) -> StandardisedProblem:
    """Features of weighted mean 0 and mean square 1; only mean square 1 if they are sparse or there is no intercept."""
    width = problem.penalty.size - problem.has_intercept
    weight = problem.row_weight
    mean = np.zeros((width, 1))
    if sparse.issparse(problem.design):
        size = np.sqrt(problem.gram_diagonals(weight[:, None])[:width])
        scale = np.where(size > 0, size, 1.0)
        columns = np.ones(problem.penalty.size)
        columns[:width] /= scale[:, 0]
        design = (problem.design @ sparse.diags_array(columns)).tocsr()
    else:
        columns = np.zeros(problem.penalty.size)
        if problem.has_intercept:
            mean = (weight @ problem.design)[:width, None]
            columns[:width] = mean[:, 0]
        design = problem.design - columns
        size = np.sqrt(np.einsum("i,ij,ij->j", weight, design, design))[:width, None]
        offset = np.abs(mean)
        scale = np.where(size > CONSTANT * offset, size, np.where(offset > 0, offset, 1.0))
        columns = np.ones(problem.penalty.size)
        columns[:width] /= scale[:, 0]
        design *= columns
    penalty = problem.penalty.copy()
    penalty[:width] /= scale**2
    return StandardisedProblem(replace(problem, design=design, penalty=penalty), mean, scale)
