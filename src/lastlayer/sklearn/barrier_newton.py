"""Newton steps for the interior path. The Hessian is one convex block per class, minus a concave block shared by all classes.

The barrier gives the weights vᵢₖ = sᵢzᵢₖ/xᵢₖ ≥ 0, and log Σⱼ xⱼ gives uᵢ = sᵢ/(Σⱼxᵢⱼ)². The Hessian in θ = (θ₁, …, θ_K) is

    H = diag(A₁, …, A_K) − 1 1ᵀ ⊗ B,    A_k = Σᵢ vᵢₖ xᵢᵀxᵢ + penalty,    B = Σᵢ uᵢ xᵢᵀxᵢ.

It is inverted on the plane where the K intercept steps sum to zero. By Woodbury's identity that takes K inverses of (D, D)
matrices and the eigenvalues λ of Lᵀ(Σ A_k⁻¹)L with B = LLᵀ. H has negative curvature where λ > 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.inverses import inverses
from lastlayer.sklearn.problem import Floats, LinearProblem

#: Factor the blocks if they have at most this many entries (160 MB of float64).
AFFORDABLE = 20_000_000
#: The smallest curvature, relative to the convex part's, by which a step is divided.
FLATTEST = 1e-3


class NewtonSystem(NamedTuple):
    """A Hessian, prepared for any number of right-hand sides."""

    #: A gradient (D, K) → a direction of descent whose intercepts sum to zero.
    descend: Callable[[Floats], Floats]
    #: Whether the Hessian has a direction of negative curvature.
    is_curved_down: Callable[[], bool]


def newton_system(problem: LinearProblem, convex: Floats, concave: Floats) -> NewtonSystem:
    """The system with weights `convex` (N, K) and `concave` (N,), factored if it is small enough."""
    if problem.classes * problem.penalty.size**2 <= AFFORDABLE:
        return _factored(problem, convex, concave)
    return _iterated(problem, convex, concave)


def _factored(problem: LinearProblem, convex: Floats, concave: Floats) -> NewtonSystem:
    """Saddle-free Newton: along eigenvectors of negative curvature the step keeps its length and changes its sign."""
    penalty = np.diag(problem.penalty[:, 0])
    blocks = inverses(np.stack([problem.gram(weights) for weights in convex.T]) + penalty, ridge=1e-13)
    # Restrict to the plane Σ intercept steps = 0: remove the part along the last unit vector from each inverse.
    total = blocks.sum(axis=0)
    last_columns, last_total = blocks[:, :, -1].T, total[:, -1]
    on_plane = total - np.outer(last_total, last_total) / last_total[-1]
    values, vectors = np.linalg.eigh(problem.gram(concave))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    curvatures, vectors = np.linalg.eigh(root.T @ on_plane @ root)
    directions = root @ vectors
    gains = 1.0 / np.maximum(np.abs(1.0 - curvatures), FLATTEST)

    def convex_step(gradient: Floats) -> Floats:
        step = np.einsum("kij,jk->ik", blocks, gradient)
        return step - last_columns * (step[-1].sum() / last_total[-1])

    def descend(gradient: Floats) -> Floats:
        step = convex_step(gradient)
        shared = directions @ (gains * (directions.T @ step.sum(axis=1)))
        return -step - convex_step(np.repeat(shared[:, None], problem.classes, axis=1))

    return NewtonSystem(descend, lambda: bool(curvatures[-1] > 1.0))


def _iterated(problem: LinearProblem, convex: Floats, concave: Floats) -> NewtonSystem:
    """Conjugate gradients, which need only products with the design, preconditioned by the diagonal of the convex part."""
    inverse = 1.0 / (problem.gram_diagonals(convex) + problem.penalty)
    curved_down = [False]

    def multiply(step: Floats) -> Floats:
        moved = problem.scores(step)
        image = convex * moved - (concave * moved.sum(axis=1))[:, None]
        return problem.pull_back(image) + problem.penalty * step

    def precondition(gradient: Floats) -> Floats:
        step = inverse * gradient
        step[-1] -= inverse[-1] * (step[-1].sum() / inverse[-1].sum())
        return step

    def descend(gradient: Floats) -> Floats:
        solved = conjugate_gradients(multiply, -gradient, precondition, rtol=1e-3, max_iter=200)
        curved_down[0] = solved.is_curved_down
        return solved.step

    return NewtonSystem(descend, lambda: curved_down[0])
