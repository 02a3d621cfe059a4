"""Newton steps for the interior path. The Hessian is one convex block per class, minus a concave block shared by all classes.

The barrier gives the weights vᵢₖ = sᵢzᵢₖ/xᵢₖ ≥ 0, and log Σⱼ xⱼ gives uᵢ = sᵢ/(Σⱼxᵢⱼ)². The Hessian in θ = (θ₁, …, θ_K) is

    H = diag(A₁, …, A_K) − 1 1ᵀ ⊗ B,    A_k = Σᵢ vᵢₖ xᵢᵀxᵢ + penalty,    B = Σᵢ uᵢ xᵢᵀxᵢ.

A few conjugate gradients on the plane of steps whose intercepts sum to zero solve it roughly. Their preconditioner has the A_k, summed over the rows
with the largest weights alone: near the boundary few rows have nearly all the weight. With few columns it has B too, by
Woodbury's identity. It is kept as long as it serves.
They only influence the direction of a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.problem import Floats

#: Rows summed exactly per class: this many per column, between these limits.
ROWS, LEAST_ROWS, MOST_ROWS = 2, 64, 128
#: Products are in float32, which halves their time, if steps need not be more accurate than this.
SINGLE = 1e-3
#: Invert the concave part too with at most this many columns, and divide by no smaller curvature.
NARROW, FLATTEST = 48, 1e-3
#: Added to the diagonal, relative to it, so that float32 can invert a block.
RIDGE = 1e-6

Inverse = Callable[[Floats], Floats]


class NewtonStep(NamedTuple):
    """A direction of descent whose intercepts keep their sum."""

    theta: Floats
    #: Whether the Hessian has a direction of negative curvature.
    is_curved_down: bool


class BarrierNewton:
    """Newton steps of one problem, at the weights given by the last call of `move_to`."""

    def __init__(self, coordinates: Coordinates, *, rtol: float, most_products: int):
        """`rtol` says how accurately a step is solved for, and `most_products` bounds what this may take."""
        self.problem, self.moments = coordinates.problem, coordinates.moments
        self.dtype: Any = np.float32 if rtol > SINGLE else np.float64
        self.design: Any = self.problem.design.astype(self.dtype)
        self._ones = np.ones((self.problem.classes, 1), self.dtype)
        self.rtol, self.most_products = rtol, most_products
        self._inverse: Inverse | None = None

    def move_to(self, convex: Floats, concave: Floats, penalty: Floats) -> None:
        """Weights v (N, K) and u (N,), and the penalty's curvature (D, 1)."""
        # Relative to the largest entry, since float32 cannot represent very small weights.
        self.unit = float(convex.max())
        self.convex = (convex / self.unit).astype(self.dtype)
        self.concave = (concave / self.unit).astype(self.dtype)[:, None]
        self.penalty = penalty / self.unit

    def step(self, gradient: Floats) -> NewtonStep:
        """−H⁻¹·gradient, roughly."""
        is_fresh = self._inverse is None
        if self._inverse is None:
            self._inverse = self._prepared(Blocks(self.design, self.convex, self.moments, self.penalty))
        solved = conjugate_gradients(
            self._multiply, -gradient / self.unit, self._inverse, rtol=self.rtol, max_iter=self.most_products
        )
        if solved.products == self.most_products:
            self._inverse = None
            if not is_fresh:
                return self.step(gradient)
        return NewtonStep(solved.step, solved.is_curved_down)

    def _multiply(self, step: Floats) -> Floats:
        size = float(np.abs(step).max()) or 1.0
        moved = np.asarray(self.design @ (step / size).astype(self.dtype))
        shared = self.concave * (moved @ self._ones)
        moved *= self.convex
        moved -= shared
        return size * np.asarray(self.design.T @ moved).astype(np.float64) + self.penalty * step

    def _prepared(self, blocks: Blocks) -> Inverse:
        """The inverse of the blocks on the plane of steps whose intercepts sum to zero, and of B if there are few columns."""
        classes = self.problem.classes
        intercepts = np.zeros((len(self.moments), classes))
        intercepts[-1] = 1.0
        along = blocks.solve(intercepts)
        share = float(np.sum(along[-1]))

        def convex(gradient: Floats) -> Floats:
            step = blocks.solve(gradient)
            return step - along * (float(np.sum(step[-1])) / share)

        total = blocks.total()
        if total is None:
            return convex
        # Σ_k A_k⁻¹ on the plane, and B ≈ diag(moments) Σu, since u differs little between rows.
        sums = along.sum(axis=1)
        total -= np.outer(sums, sums) / share
        root = np.sqrt(self.moments[:, 0] * float(self.concave.sum(dtype=np.float64)))
        curvatures, vectors = np.linalg.eigh(root[:, None] * total * root)
        directions = root[:, None] * vectors
        # Saddle-free: along negative curvature the step keeps its length and changes its sign.
        gains = 1.0 / np.maximum(np.abs(1.0 - curvatures), FLATTEST)

        def saddle_free(gradient: Floats) -> Floats:
            step = convex(gradient)
            shared = directions @ (gains * (directions.T @ step.sum(axis=1)))
            return step + convex(np.repeat(shared[:, None], classes, axis=1))

        return saddle_free


class Blocks:
    """The A_k with the heaviest rows of each class; the others contribute their total weight times the moments.

    With fewer rows than columns a block is diagonal plus low rank, and Woodbury's identity inverts a smaller matrix.
    """

    def __init__(self, design: Any, weights: Any, moments: Floats, penalty: Floats):
        size, classes = len(moments), weights.shape[1]
        kept = min(len(weights), min(max(ROWS * size, LEAST_ROWS), MOST_ROWS))
        rows = np.argpartition(weights, len(weights) - kept, axis=0)[len(weights) - kept :].T
        chosen = np.take_along_axis(weights.T, rows, axis=1)
        total = weights.sum(axis=0, dtype=np.float64)
        rest = np.maximum(total - chosen.sum(axis=1, dtype=np.float64), 0.0)
        diagonal = (moments * (rest + RIDGE * total) + penalty).T
        #: The square root of the diagonal scales both sides, so that entries are at most about one.
        self.root = np.sqrt(diagonal)
        heavy = design[rows.ravel()]
        heavy = np.asarray(heavy if isinstance(heavy, np.ndarray) else heavy.toarray()).reshape(classes, kept, size)
        self.heavy = heavy * np.sqrt(chosen)[:, :, None] / self.root[:, None, :].astype(design.dtype)
        turned = self.heavy.transpose(0, 2, 1)
        self.is_low_rank = kept < size
        matrices = self.heavy @ turned if self.is_low_rank else turned @ self.heavy
        entries = np.arange(matrices.shape[-1])
        matrices[:, entries, entries] += 1.0
        self.inverses = np.linalg.inv(matrices)

    def solve(self, gradient: Floats) -> Floats:
        """A_k⁻¹ applied to column k of (D, K)."""
        scaled = gradient.T / self.root
        unit = float(np.abs(scaled).max()) or 1.0
        narrow = (scaled / unit).astype(self.heavy.dtype)[:, :, None]
        if self.is_low_rank:
            step = narrow - self.heavy.transpose(0, 2, 1) @ (self.inverses @ (self.heavy @ narrow))
        else:
            step = self.inverses @ narrow
        return np.asarray((unit * step[:, :, 0].astype(np.float64) / self.root).T)

    def total(self) -> Floats | None:
        """Σ_k A_k⁻¹, if it has few columns."""
        if self.is_low_rank or self.root.shape[1] > NARROW:
            return None
        scaled = self.inverses / self.root[:, :, None] / self.root[:, None, :]
        summed = np.asarray(scaled.sum(axis=0), dtype=np.float64)
        return 0.5 * (summed + summed.T)
