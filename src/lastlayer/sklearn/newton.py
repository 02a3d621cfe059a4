"""Method "loss" for softmax: truncated Newton. Conjugate gradients solve each step only as accurately as is useful.

Sources: Dembo & Steihaug 1983 (truncated Newton), Nocedal & Wright 2006, section 7.1.
"""

from __future__ import annotations

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.curvature import Curvature
from lastlayer.sklearn.descent import stopped
from lastlayer.sklearn.preconditioner import Preconditioners, centred
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution

#: Scores at which a mapping's gradient is compared with softmax's.
PROBE = np.array([[0.0, 1.0, -2.0], [3.0, 0.5, 0.25]])
LABELS = np.array([0, 2])
#: The loosest relative tolerance of a Newton step.
COARSEST = 0.5


def has_known_hessian(mapping: ll.ProbabilityMapping) -> bool:
    """Whether `descend_by_newton` can fit this mapping, which means that it is softmax.

    Only for g = e^{cx} does a shift of the scores become a factor. So a shift-invariant normalized mapping is p = softmax(cx),
    with gradient c(p − y) and Hessian c²(diag p − ppᵀ). Here c must be 1.
    """
    if mapping.family != "normalized" or "shift_invariant" not in mapping.laws:
        return False
    _, gradient = ll.loss_and_grad(PROBE, LABELS, mapping=mapping, reduction="sum")
    return np.allclose(gradient, ll.probabilities(PROBE, mapping=mapping) - np.eye(3)[LABELS], rtol=1e-9, atol=0)


def descend_by_newton(
    coordinates: Coordinates, mapping: ll.ProbabilityMapping, start: Floats, *, tol: float, max_iter: int
) -> Solution:
    """Minimise until no entry of the gradient exceeds `tol`, and the predicted decrease is below `tol` times the objective.

    The weights of each feature, and the intercepts, sum to zero.
    """
    problem = coordinates.problem
    theta = start - start.mean(axis=1, keepdims=True)
    value, gradient, grad_scores = _evaluate(problem, mapping, theta)
    curvature = Curvature(problem)
    preconditioners = Preconditioners(curvature, coordinates.moments if coordinates.is_uncorrelated else None)
    blocks, products, first, iterations, is_stuck = None, 0, 0.0, 0, False
    while True:
        largest = float(np.max(np.abs(coordinates.standardised_gradient(gradient))))
        curvature.move_to(grad_scores)
        if preconditioners.has_blocks and products > preconditioners.price:
            blocks, products = preconditioners.blocks(), 0
        precondition = centred(blocks or preconditioners.shared())
        size = float(np.sum(gradient * precondition(gradient)))
        # Where the classes are nearly separable the loss is so flat that a small gradient is still far from the optimum.
        is_near = 0.5 * size <= tol * value or not problem.penalty.any()
        if is_stuck or iterations >= max_iter or (largest <= tol and is_near):
            break
        iterations += 1
        first = first or size
        # The tolerance decreases like the square root of the gradient's norm, for superlinear convergence at the end.
        rtol = min(COARSEST, (size / first) ** 0.25)
        solved = conjugate_gradients(curvature.multiply, -gradient, precondition, rtol=rtol, max_iter=200)
        products += solved.products
        slope, length = float(np.sum(gradient * solved.step)), 1.0
        # The last term accepts steps whose gain is smaller than the rounding error of the value.
        while (found := _evaluate(problem, mapping, theta + length * solved.step))[0] > (
            value + 1e-4 * length * slope + 1e-14 * abs(value)
        ):
            length *= 0.5
            if length < 1e-6:
                break
        is_stuck = length < 1e-6
        if not is_stuck:
            theta = theta + length * solved.step
            value, gradient, grad_scores = found
    theta = theta - theta.mean(axis=1, keepdims=True)
    return stopped(theta, value, largest, 0.5 * size, iterations, is_stuck, tol, bool(problem.penalty.any()))


def _evaluate(problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats) -> tuple[float, Floats, Floats]:
    """The objective, its gradient in θ, and its gradient in the scores."""
    scores = problem.scores(theta)
    loss, grad_scores = ll.loss_and_grad(
        scores, problem.labels, mapping=mapping, sample_weight=problem.row_weight, reduction="sum", out=scores
    )
    gradient = problem.pull_back(grad_scores) + problem.penalty * theta
    return float(loss) + problem.penalised(theta), gradient, grad_scores
