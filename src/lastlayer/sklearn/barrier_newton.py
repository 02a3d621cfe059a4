"""Newton steps for the interior path. The Hessian is one convex block per class, minus a concave block shared by all classes.

The barrier gives the weights vᵢₖ = sᵢzᵢₖ/xᵢₖ ≥ 0, and log Σⱼ xⱼ gives uᵢ = sᵢ/(Σⱼxᵢⱼ)². The Hessian in θ = (θ₁, …, θ_K) is

    H = diag(A₁, …, A_K) − 1 1ᵀ ⊗ B,    A_k = Σᵢ vᵢₖ xᵢᵀxᵢ + penalty,    B = Σᵢ uᵢ xᵢᵀxᵢ.

A few conjugate gradients on the plane Σ eᵀθ_k = 0 solve it roughly. Their preconditioner has the A_k, of which only the rows
with the largest weights are summed: near the boundary few rows have nearly all the weight. It is kept as long as it serves.
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
ROWS, LEAST_ROWS, MOST_ROWS = 2, 64, 256
#: Products are in float32, which halves their time, if steps need not be more accurate than this.
SINGLE = 1e-3
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
        assert coordinates.to_intercept is not None, "the constraint on the intercepts needs intercepts"
        self.problem, self.e, self.moments = coordinates.problem, coordinates.to_intercept, coordinates.moments
        self.dtype: Any = np.float32 if rtol > SINGLE else np.float64
        self.design: Any = self.problem.design.astype(self.dtype)
        self._ones = np.ones((self.problem.classes, 1), self.dtype)
        self.rtol, self.most_products = rtol, most_products
        self._inverse: Inverse | None = None

    def move_to(self, convex: Floats, concave: Floats) -> None:
        """Weights v (N, K) and u (N,)."""
        # Relative to the largest entry, since float32 cannot represent very small weights.
        self.unit = float(convex.max())
        self.convex = (convex / self.unit).astype(self.dtype)
        self.concave = (concave / self.unit).astype(self.dtype)[:, None]
        self.penalty = self.problem.penalty / self.unit

    def step(self, gradient: Floats) -> NewtonStep:
        """−H⁻¹·gradient, roughly."""
        is_fresh = self._inverse is None
        if self._inverse is None:
            self._inverse = self._projected(heaviest_rows(self.design, self.convex, self.moments, self.penalty))
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

    def _projected(self, inverse: Inverse) -> Inverse:
        """The inverse on the plane Σ eᵀθ_k = 0."""
        along = inverse(np.repeat(self.e, self.problem.classes, axis=1))
        share = float(np.sum(self.e * along))

        def apply(gradient: Floats) -> Floats:
            step = inverse(gradient)
            return step - along * (float(np.sum(self.e.T @ step)) / share)

        return apply


def heaviest_rows(design: Any, weights: Any, moments: Floats, penalty: Floats) -> Inverse:
    """The inverse of the A_k, with the heaviest rows of each class; the others contribute their total weight times the moments.

    With fewer rows than columns a block is diagonal plus low rank, and Woodbury's identity inverts a smaller matrix.
    """
    size, classes = len(moments), weights.shape[1]
    kept = min(len(weights), min(max(ROWS * size, LEAST_ROWS), MOST_ROWS))
    rows = np.argpartition(weights, len(weights) - kept, axis=0)[len(weights) - kept :].T
    chosen = np.take_along_axis(weights.T, rows, axis=1)
    rest = np.maximum(weights.sum(axis=0, dtype=np.float64) - chosen.sum(axis=1, dtype=np.float64), 0.0)
    diagonal = (moments * (rest + RIDGE * weights.sum(axis=0, dtype=np.float64)) + penalty).T
    # The square root of the penalised diagonal scales both sides, so that entries are at most about one.
    root = np.sqrt(diagonal)
    heavy = design[rows.ravel()]
    heavy = np.asarray(heavy if isinstance(heavy, np.ndarray) else heavy.toarray()).reshape(classes, kept, size)
    heavy = heavy * np.sqrt(chosen)[:, :, None] / root[:, None, :].astype(design.dtype)
    if kept < size:
        inner = heavy @ heavy.transpose(0, 2, 1)
        inner[:, np.arange(kept), np.arange(kept)] += 1.0
        small = np.linalg.inv(inner)
        solve = lambda narrow: narrow - heavy.transpose(0, 2, 1) @ (small @ (heavy @ narrow))  # noqa: E731
    else:
        blocks = heavy.transpose(0, 2, 1) @ heavy
        blocks[:, np.arange(size), np.arange(size)] += 1.0
        full = np.linalg.inv(blocks)
        solve = lambda narrow: full @ narrow  # noqa: E731

    def apply(gradient: Floats) -> Floats:
        scaled = gradient.T / root
        unit = float(np.abs(scaled).max()) or 1.0
        step = solve((scaled / unit).astype(design.dtype)[:, :, None])[:, :, 0]
        return np.asarray((unit * step.astype(np.float64) / root).T)

    return apply
