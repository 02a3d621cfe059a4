"""Method "interior_point": a log barrier with a decreasing parameter μ keeps all scores positive.

The loss is the ratio's log loss, log Σⱼ xⱼ − log x_t, for scores x = designθ > 0. Its intercepts sum to one, which fixes the
scale (the penalty would otherwise shrink it to zero). A line search on this loss would stop as soon as one score reaches
zero. Instead, the method follows the path of minimisers of

    φ_μ(θ) = Σᵢ sᵢ [log Σⱼ xᵢⱼ − Σⱼ cᵢⱼ log xᵢⱼ] + ½ Σ penalty·θ²,    cᵢⱼ = 1[j = tᵢ] + μ

from W = 0 and the class frequencies down to a μ for which the barrier term K·μ is a small fraction of the objective. The
loss is itself a barrier for the target's score, so one multiplier z with the goal x·z = c serves both. Newton steps are
primal-dual. log Σⱼ xⱼ is concave, so the Newton systems must handle negative curvature.

Sources: Wächter & Biegler 2006 (barrier parameter, safeguarded multipliers), Gondzio 1996 (centrality corrections),
Steihaug 1983 (negative curvature).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.barrier_newton import newton_system
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution

#: The first μ, and the factor by which it decreases when the iterate is centred.
FIRST_MU, SHRINK = 1.0, 0.3
#: The largest fraction of the distance to the boundary that a step may take.
FRACTION_TO_BOUNDARY = 0.99
#: An iterate is centred if no optimality condition is violated by more than this times μ.
CENTRED = 10.0
CORRECTIONS = 2


class Direction(NamedTuple):
    """A step in θ, the resulting steps of scores and multipliers, and the slope of φ along it."""

    theta: Floats
    scores: Floats
    multipliers: Floats
    slope: float
    is_curved_down: bool

    def longest(self, scores: Floats) -> float:
        """The largest multiple of the step that keeps the scores positive; may exceed one."""
        return FRACTION_TO_BOUNDARY * _longest(scores, self.scores)

    def longest_dual(self, multipliers: Floats) -> float:
        """The largest multiple that keeps the multipliers positive, at most one."""
        return min(1.0, FRACTION_TO_BOUNDARY * _longest(multipliers, self.multipliers))


def follow_interior_path(problem: LinearProblem, start: Floats, *, tol: float, max_iter: int) -> Solution:
    """Minimise until the barrier term is below `tol` times the loss at the class frequencies.

    `start` must give positive scores and intercepts that sum to one; all later iterates do too.
    """
    theta, scores = start, problem.scores(start)
    entropy = -float(np.sum(problem.frequencies * np.log(problem.frequencies)))
    mu, last_mu = FIRST_MU, 0.5 * tol * entropy / problem.classes
    multipliers = (problem.targets + mu) / scores
    iterations, converged = 0, False
    while iterations < max_iter and not converged:
        iterations += 1
        while mu > last_mu and _error(problem, theta, scores, multipliers, mu) <= CENTRED * mu:
            mu = max(SHRINK * mu, last_mu)
        goal = problem.targets + mu
        direction = _newton_direction(problem, theta, scores, multipliers, goal)
        length = _step_length(problem, theta, scores, direction, goal)
        theta = theta + length * direction.theta
        scores = problem.scores(theta)
        multipliers = multipliers + (length > 0) * direction.longest_dual(multipliers) * direction.multipliers
        multipliers = np.clip(multipliers, 1e-4 * goal / scores, 1e4 * goal / scores)
        # A Newton step is expected to gain half its slope. Less than the barrier term is not worth another step at this μ.
        is_centred = -direction.slope <= 0.1 * problem.classes * mu
        converged = is_centred and mu == last_mu
        if is_centred or length == 0:
            mu = max(SHRINK * mu, last_mu)
    distance = f"the barrier term is {problem.classes * mu:.1e}, the goal is {problem.classes * last_mu:.1e}, centred"
    return Solution(theta, objective(problem, theta, scores, problem.targets), iterations, converged, distance)


def objective(problem: LinearProblem, theta: Floats, scores: Floats, goal: Floats) -> float:
    """φ; with the targets as the goal it is the penalised loss."""
    rows = np.log(scores.sum(axis=1)) - np.sum(goal * np.log(scores), axis=1)
    return float(problem.row_weight @ rows) + problem.penalised(theta)


def _gradient(problem: LinearProblem, theta: Floats, scores: Floats, multipliers: Floats) -> Floats:
    """∂/∂θ of the Lagrangian, projected on Σ intercepts = 1. It is the gradient of φ if the multipliers are goal/x."""
    grad_scores = problem.row_weight[:, None] * (1.0 / scores.sum(axis=1, keepdims=True) - multipliers)
    return _project(problem.pull_back(grad_scores) + problem.penalty * theta)


def _project(gradient: Floats) -> Floats:
    """Remove the part that would change the sum of the intercepts."""
    gradient[-1] -= gradient[-1].mean()
    return gradient


def _error(problem: LinearProblem, theta: Floats, scores: Floats, multipliers: Floats, mu: float) -> float:
    """The largest violation of the optimality conditions of φ_μ: a gradient entry, or the mean of |x·z − c|."""
    gap = np.abs(scores * multipliers - problem.targets - mu)
    slack = float(problem.row_weight @ gap.sum(axis=1)) / problem.classes
    return max(slack, float(np.max(np.abs(_gradient(problem, theta, scores, multipliers)))))


def _newton_direction(
    problem: LinearProblem, theta: Floats, scores: Floats, multipliers: Floats, goal: Floats
) -> Direction:
    """The primal-dual Newton step towards x·z = goal, with Gondzio's centrality corrections."""
    ratio = multipliers / scores
    convex, concave = problem.row_weight[:, None] * ratio, problem.row_weight / scores.sum(axis=1) ** 2
    system = newton_system(problem, convex, concave)
    gradient = _gradient(problem, theta, scores, goal / scores)

    def towards(products: Floats) -> Direction:
        """The step towards x·z = products, to first order."""
        step = system.descend(_gradient(problem, theta, scores, products / scores))
        moved = problem.scores(step)
        change = products / scores - multipliers - ratio * moved
        return Direction(step, moved, change, float(np.sum(gradient * step)), system.is_curved_down())

    products, best = goal, towards(goal)
    for _ in range(CORRECTIONS):
        primal, dual = best.longest(scores), best.longest_dual(multipliers)
        if primal > 0.9:
            break
        # Where a somewhat longer step would take x·z far from its goal, aim at the opposite side by that amount.
        further_scores = scores + min(1.0, primal + 0.3) * best.scores
        reached = further_scores * (multipliers + min(1.0, dual + 0.3) * best.multipliers)
        products = products + np.maximum(np.clip(reached, 0.1 * goal, 10 * goal) - reached, -10 * goal)
        corrected = towards(products)
        if corrected.longest(scores) < primal + 0.03 or corrected.slope > 0.1 * best.slope:
            break
        best = corrected
    return best


def _step_length(problem: LinearProblem, theta: Floats, scores: Floats, direction: Direction, goal: Floats) -> float:
    """A step length that decreases φ and keeps scores positive; 0 if there is none, > 1 only at negative curvature."""

    def phi(length: float) -> float:
        moved = theta + length * direction.theta
        moved_scores = problem.scores(moved)
        return objective(problem, moved, moved_scores, goal) if moved_scores.min() > 0 else np.inf

    start, longest = objective(problem, theta, scores, goal), direction.longest(scores)
    length = min(1.0, longest)
    # The last term accepts steps whose gain is smaller than the rounding error of φ.
    while (value := phi(length)) > start + 1e-4 * length * direction.slope + 1e-14 * abs(start):
        length *= 0.5
        if length < 1e-9:
            return 0.0
    while direction.is_curved_down and 1.0 <= length <= 0.5 * longest and (further := phi(2 * length)) < value:
        length, value = 2 * length, further
    return length


def _longest(values: Floats, change: Floats) -> float:
    """The largest a with values + a·change ≥ 0."""
    falling = change < 0
    return float(np.min(-values[falling] / change[falling], initial=np.inf))
