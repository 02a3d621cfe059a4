"""Block-diagonal preconditioners for the Hessian of `curvature`: one block per class, without the coupling of classes.

    A_k = Σᵢ sᵢ qᵢₖ zᵢzᵢᵀ + penalty,    qᵢₖ = pᵢₖ(1 − pᵢₖ) K/(K − 1)

A shift of all scores changes nothing, so directions common to all classes have only the penalty's curvature, which no block
represents: they are projected out. On the rest the Hessian is K/(K − 1) times its diagonal blocks if all classes are equally
likely, and always for two classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lastlayer.sklearn.coordinates import WIDEST
from lastlayer.sklearn.curvature import Curvature
from lastlayer.sklearn.inverses import inverses
from lastlayer.sklearn.problem import Floats

Preconditioner = Callable[[Floats], Floats]

#: Invert the blocks if they have at most this many entries (80 MB of float32).
AFFORDABLE = 20_000_000
#: Rows summed exactly per class, in multiples of the number of features. The others enter only by their total weight.
ROWS = 4
#: The penalty used for the intercept, which has none: it keeps a block invertible if a class has no curvature left.
RIDGE = 1e-6
#: Rounding error of float32 in an eigenvalue of Ḡ, per feature, for features of mean square 1.
ROUNDING = 1e-6


def centred(inverse: Preconditioner) -> Preconditioner:
    """The preconditioner followed by a projection that removes the part common to all classes."""

    def apply(gradient: Floats) -> Floats:
        step = inverse(gradient)
        step -= step.sum(axis=1, keepdims=True) / step.shape[1]
        return step

    return apply


class Preconditioners:
    """Preconditioners of one problem, at the current probabilities of its `Curvature`."""

    def __init__(self, curvature: Curvature, moments: Floats | None = None):
        """`moments` (D, 1) is the diagonal of Ḡ where its other entries are known to be zero."""
        self.curvature, self.problem = curvature, curvature.problem
        self.ridge = RIDGE
        self.penalty = np.where(self.problem.penalty > 0, self.problem.penalty, RIDGE)
        size, classes = self.penalty.size, self.problem.classes
        self.has_blocks = (
            classes * size**2 <= AFFORDABLE and size <= WIDEST and isinstance(curvature.design, np.ndarray)
        )
        #: The number of Hessian products that take twice the time of `blocks`; it is worth computing only after that many.
        rows = min(ROWS * size, len(self.problem.labels))
        self.price = 2.0 * (rows * size + 2 * size**2) / (2.0 * len(self.problem.labels)) + 8
        self._moments = moments
        self.gram = np.zeros((0, 0))
        self._eigenbasis: tuple[Floats, Floats] | None = None
        if moments is not None:
            self.gram = np.diag(moments[:, 0])
        elif size <= WIDEST:
            self.gram = self._gram()
            self._eigenbasis = self._decompose()

    def _gram(self) -> Floats:
        """Ḡ = Σ sᵢ zᵢzᵢᵀ. In float32, which takes a third of the time, if the penalty is larger than its rounding error."""
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
        """A_k ≈ q̄ₖ Ḡ + penalty with the mean q̄ₖ: one decomposition serves all classes at all points."""
        weights = self._weights()
        mean = self.problem.row_weight @ weights
        if self._moments is not None:
            scale = 1.0 / (self._moments * mean + self.penalty)
            return lambda gradient: scale * gradient
        if self._eigenbasis is None:
            diagonal = 1.0 / (self.problem.gram_diagonals(self.problem.row_weight[:, None] * weights) + self.penalty)
            return lambda gradient: diagonal * gradient
        values, vectors = self._eigenbasis
        inverse = 1.0 / (values * mean + 1.0)
        return lambda gradient: np.asarray(vectors @ (inverse * (vectors.T @ gradient)))

    def blocks(self) -> Preconditioner:
        """A_k from the rows with the largest weights qᵢₖ; the other rows contribute their total weight times Ḡ."""
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
