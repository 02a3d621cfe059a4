"""Products of a vector with the Hessian of softmax's log loss in a linear model.

    H = Σᵢ sᵢ (diag pᵢ − pᵢpᵢᵀ) ⊗ zᵢzᵢᵀ + penalty

The products are in float32, which halves their time. They only influence the direction of a Newton step; the optimum is where
the float64 gradient vanishes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lastlayer.sklearn.problem import Floats, LinearProblem

#: Number of scores in a block of rows, chosen so that all passes over a block find it in cache.
BLOCK = 100_000

Halves = NDArray[np.float32]


class Curvature:
    """H at the probabilities given by the last call of `move_to`."""

    def __init__(self, problem: LinearProblem):
        self.problem = problem
        # √sᵢ in the design on both sides replaces the factor sᵢ inside.
        root = np.sqrt(problem.row_weight).astype(np.float32)[:, None]
        #: √sᵢ zᵢ, (N, D).
        self.design: Any = problem.design.astype(np.float32)
        if sparse.issparse(self.design):
            self.design = self.design.multiply(root).tocsr()
        else:
            self.design *= root
        self.p: Halves = np.zeros((0, problem.classes), np.float32)
        self._rows = np.arange(len(problem.labels))
        rows = max(1, BLOCK // problem.classes)
        self._blocks = [slice(first, first + rows) for first in range(0, len(problem.labels), rows)]

    def move_to(self, grad_scores: Floats) -> None:
        """Recover the probabilities from the gradient in the scores, sᵢ(pᵢ − yᵢ)."""
        # Divide in float64: row weights may be too small for float32.
        self.p = (grad_scores / self.problem.row_weight[:, None]).astype(np.float32)
        self.p[self._rows, self.problem.labels] += 1.0

    def multiply(self, step: Floats) -> Floats:
        """H·step, (D, K)."""
        narrow = step.astype(np.float32)
        image = np.zeros_like(narrow)
        for rows in self._blocks:
            design, p = self.design[rows], self.p[rows]
            moved = design @ narrow
            moved -= np.einsum("ij,ij->i", p, moved)[:, None]
            moved *= p
            image += design.T @ moved
        return self.problem.penalty * step + image
