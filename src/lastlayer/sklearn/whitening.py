"""Variables t in which the Hessian of a loss is near the identity: θ = (t ∘ scale) Rᵀ.

With the mean Hessian H̄ = R diag(h) Rᵀ of the loss in a row's scores, the Hessian in θ is about H̄ ⊗ diag(m) + penalty for
uncorrelated columns of mean squares m, and exactly that where all rows have the same Hessian, as at W = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.problem import Floats, LinearProblem

#: Rows over which the Hessian is averaged, and the step of the differences of the gradient.
ROWS, STEP = 128, 1e-4
#: With more classes only the diagonal is estimated, by this many random signs (Hutchinson 1990).
MOST_CLASSES, PROBES = 24, 4
#: The smallest curvature, relative to the largest one: where the loss is flat or concave.
FLATTEST = 1e-3


@dataclass(frozen=True)
class Whitening:
    """Both directions, and the gradient of the inner variables."""

    scale: Floats
    turn: Floats | None
    #: The norm of a t that changes all scores by one, in root mean square.
    size: float

    def outer(self, inner: Floats) -> Floats:
        """t → θ."""
        moved = inner.reshape(self.scale.shape) * self.scale
        return moved if self.turn is None else moved @ self.turn.T

    def inner(self, outer: Floats) -> Floats:
        """θ → t, flat."""
        return np.asarray(((outer if self.turn is None else outer @ self.turn) / self.scale).ravel())

    def pull_back(self, gradient: Floats) -> Floats:
        """∂/∂θ → ∂/∂t, flat."""
        return np.asarray(((gradient if self.turn is None else gradient @ self.turn) * self.scale).ravel())

    def push_forward(self, inner_gradient: Floats) -> Floats:
        """∂/∂t → ∂/∂θ."""
        gradient = inner_gradient.reshape(self.scale.shape) / self.scale
        return gradient if self.turn is None else gradient @ self.turn.T


def whitening(coordinates: Coordinates, mapping: ll.ProbabilityMapping, theta: Floats) -> Whitening:
    """The variables that suit the Hessian at θ."""
    problem = coordinates.problem
    curvatures, turn = score_curvature(problem, mapping, theta)
    least = FLATTEST * curvatures.max(initial=np.finfo(float).tiny)
    curvature = coordinates.moments * np.maximum(curvatures, least) + problem.penalty
    size = float(np.sqrt(np.sum(np.maximum(curvatures, least))))
    return Whitening(1.0 / np.sqrt(np.maximum(curvature, 1e-8 * least)), turn, size)


def score_curvature(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats
) -> tuple[Floats, Floats | None]:
    """|h| (K,) and R (K, K) of the mean Hessian in the scores; its diagonal and None if there are many classes."""
    scores, labels, weight = _sample(problem, theta)
    classes = problem.classes
    if classes <= MOST_CLASSES:
        directions = np.eye(classes)
    else:
        directions = np.random.default_rng(0).choice([-1.0, 1.0], size=(PROBES, classes))
    step = (
        STEP * max(1.0, float(np.abs(scores).max()))
        if "scale_invariant" not in mapping.laws
        else STEP * float(np.sqrt(np.mean(scores**2)))
    )
    moved = np.concatenate([scores + sign * step * direction for direction in directions for sign in (1.0, -1.0)])
    _, gradient = ll.loss_and_grad(
        moved, np.tile(labels, 2 * len(directions)), mapping=mapping, reduction="sum", on_domain="nan"
    )
    pairs = np.nan_to_num(gradient).reshape(len(directions), 2, len(labels), classes)
    change = np.einsum("i,pij->pj", weight, pairs[:, 0] - pairs[:, 1]) / (2.0 * step)
    if classes > MOST_CLASSES:
        return np.abs(np.mean(directions * change, axis=0)), None
    curvatures, turn = np.linalg.eigh(0.5 * (change + change.T))
    return np.abs(curvatures), turn


def _sample(problem: LinearProblem, theta: Floats) -> tuple[Floats, np.ndarray, Floats]:
    """Scores, labels and weights of some rows; one row per class where all rows have the same scores."""
    if problem.has_intercept and not theta[:-1].any() and problem.classes <= MOST_CLASSES:
        labels = np.arange(problem.classes)
        return np.tile(theta[-1], (problem.classes, 1)), labels, problem.frequencies
    rows = np.linspace(0, len(problem.labels) - 1, min(ROWS, len(problem.labels))).astype(np.intp)
    weight = problem.row_weight[rows]
    return np.asarray(problem.design[rows] @ theta), problem.labels[rows], weight / weight.sum()
