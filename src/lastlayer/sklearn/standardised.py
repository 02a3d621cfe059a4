"""The same problem with its features on a common scale, where neither scales nor offsets cost iterations or digits.

With features z = (x − μ)/σ the scores wᵀx + b are those of v = σw and b′ = b + wᵀμ, and λ‖w‖² = λ‖v/σ‖².
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from lastlayer.sklearn.problem import Floats, LinearProblem

#: A spread this far below the size of a feature is rounding: the feature is constant.
CONSTANT = 1e-12


@dataclass(frozen=True)
class StandardisedProblem:
    """A problem in variables (v, b′), and the way there and back."""

    problem: LinearProblem
    #: (d, 1) each; μ is zero where there is no intercept to take it, and for sparse features, which it would make dense.
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
    """Features of weighted mean 0 and mean square 1; of mean square 1 alone where they are sparse or have no intercept."""
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
