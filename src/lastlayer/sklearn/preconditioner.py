"""Cheap stand-ins for the inverse of the Hessian of `curvature`, one block a class: what is between classes is left out.

    A_k = Σᵢ sᵢ qᵢₖ zᵢzᵢᵀ + penalty,    qᵢₖ = pᵢₖ(1 − pᵢₖ) K/(K − 1)

Where a shift of all scores changes nothing, directions common to all classes are projected away before and after: the
Hessian has no curvature there but the penalty's, which no block knows. What is left of the Hessian is K/(K − 1)
times its diagonal where all classes are as likely, and with two classes everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lastlayer.sklearn.curvature import Curvature
from lastlayer.sklearn.inverses import inverses
from lastlayer.sklearn.problem import Floats

Preconditioner = Callable[[Floats], Floats]

#: Entries of the largest set of blocks that is inverted (80 MB of float32).
AFFORDABLE = 20_000_000
#: Features up to which one matrix of them is decomposed.
WIDEST = 1000
#: Rows a class that are summed one by one, in multiples of the number of features; of the others only the weight counts.
ROWS = 4
#: The intercept has no penalty: what takes its place, to be invertible where a class has no curvature left.
RIDGE = 1e-6
#: What float32 may add to an eigenvalue of Ḡ for features of mean square 1, a feature.
ROUNDING = 1e-6


def centred(inverse: Preconditioner) -> Preconditioner:
    """Without the part common to all classes."""

    def apply(gradient: Floats) -> Floats:
        step = inverse(gradient)
        step -= step.sum(axis=1, keepdims=True) / step.shape[1]
        return step

    return apply


class Preconditioners:
    """The block inverses of one problem at whatever probabilities its curvature has been moved to."""

    def __init__(self, curvature: Curvature):
        self.curvature, self.problem = curvature, curvature.problem
        self.penalty = np.where(self.problem.penalty > 0, self.problem.penalty, RIDGE)
        size, classes = self.penalty.size, self.problem.classes
        self.has_blocks = (
            classes * size**2 <= AFFORDABLE and size <= WIDEST and isinstance(curvature.design, np.ndarray)
        )
        #: Products with the Hessian that cost what `blocks` does, twice: it must have saved them to pay.
        rows = min(ROWS * size, len(self.problem.labels))
        self.price = 2.0 * (rows * size + 2 * size**2) / (2.0 * len(self.problem.labels)) + 8
        self.gram = self._gram() if size <= WIDEST else np.zeros((0, 0))
        self._eigenbasis = self._decompose() if size <= WIDEST else None

    def _gram(self) -> Floats:
        """Ḡ = Σ sᵢ zᵢzᵢᵀ; in float32, at a third of the price, where the penalty is larger than its rounding."""
        design, penalty = self.curvature.design, self.problem.penalty
        of_weights = penalty[: penalty.size - self.problem.has_intercept]
        if isinstance(design, np.ndarray) and np.min(of_weights) > ROUNDING * penalty.size:
            return (design.T @ design).astype(np.float64)
        return self.problem.gram(self.problem.row_weight)

    def _decompose(self) -> tuple[Floats, Floats]:
        """M, V with VᵀḠV = diag M and Vᵀ penalty V = I."""
        root = 1.0 / np.sqrt(self.penalty)
        values, vectors = np.linalg.eigh(self.gram * root * root.T)
        return np.maximum(values, 0.0)[:, None], root * vectors

    def shared(self) -> Preconditioner:
        """A_k ≈ q̄ₖ Ḡ + penalty for the mean q̄ₖ: one decomposition serves every class at every point."""
        weights = self._weights()
        mean = self.problem.row_weight @ weights
        if self._eigenbasis is None:
            diagonal = 1.0 / (self.problem.gram_diagonals(self.problem.row_weight[:, None] * weights) + self.penalty)
            return lambda gradient: diagonal * gradient
        values, vectors = self._eigenbasis
        inverse = 1.0 / (values * mean + 1.0)
        return lambda gradient: np.asarray(vectors @ (inverse * (vectors.T @ gradient)))

    def blocks(self) -> Preconditioner:
        """A_k from the rows that curve it most; the others enter as their weight times Ḡ."""
        weights = np.ascontiguousarray(self._weights().T)
        design, row_weight = self.curvature.design, self.problem.row_weight
        size = self.penalty.size
        matrices = np.empty((len(weights), size, size))
        kept = min(ROWS * size, len(row_weight))
        for matrix, weight in zip(matrices, weights, strict=True):
            rows = np.argpartition(weight, len(weight) - kept)[len(weight) - kept :]
            chosen = design[rows]
            rest = max(float(row_weight @ weight) - float(row_weight[rows] @ weight[rows]), 0.0)
            matrix[:] = chosen.T @ (chosen * weight[rows, None])
            matrix += rest * self.gram
        matrices[:, np.arange(size), np.arange(size)] += self.penalty[:, 0]
        blocks = inverses(matrices, ridge=1e-7)
        return lambda gradient: np.asarray((blocks @ gradient.T[:, :, None])[:, :, 0].T)

    def _weights(self) -> Floats:
        p = self.curvature.p
        return p * (1.0 - p) * (self.problem.classes / (self.problem.classes - 1.0))
