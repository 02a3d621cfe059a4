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

from lastlayer.sklearn.barrier_newton import BarrierNewton
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.progress import CUT_SHORT, Patience

#: The first μ.
FIRST_MU = 1.0
#: The largest fraction of the distance to the boundary that a step may take.
FRACTION_TO_BOUNDARY = 0.99


class Pace(NamedTuple):
    """How closely the path is followed."""

    #: How accurately a Newton step is solved for, and the largest number of products that this may take.
    rtol: float
    products: int
    #: The factor by which μ decreases when the iterate is centred: no optimality condition is violated by more than `centred` · μ.
    shrink: float
    centred: float
    #: Applies only while μ stays the same.
    patience: Patience


#: A path that is followed closely ends in a better minimum if there are several; where the ratio is wanted, with small C, there is one.
EXACT = Pace(1e-4, 60, 0.3, 1.0, Patience(share=10.0, window=4, fewest=20))
CLOSE = Pace(3e-2, 10, 0.3, 1.0, Patience(share=10.0, window=4, fewest=30))
ROUGH = Pace(0.3, 4, 0.1, 10.0, Patience(share=15.0, window=3, fewest=10))
#: Follow the path exactly for smaller tolerances than this, and closely if a product with the design takes less multiplications.
TIGHT, CHEAP = 1e-5, 4000


def pace_of(problem: LinearProblem, tol: float) -> Pace:
    """Close where that costs little or was asked for."""
    if tol < TIGHT:
        return EXACT
    return CLOSE if problem.classes * len(problem.labels) * problem.penalty.size <= CHEAP else ROUGH


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


def follow_interior_path(coordinates: Coordinates, start: Floats, *, tol: float, max_iter: int) -> Solution:
    """Minimise until the barrier term is below `tol` times the loss at the class frequencies.

    `start` must give positive scores and intercepts that sum to one; all later iterates do too. The path is cut short
    where more iterations would gain little.
    """
    problem, gauge = coordinates.problem, Gauge(coordinates)
    pace = pace_of(problem, tol)
    newton = BarrierNewton(coordinates, rtol=pace.rtol, most_products=pace.products)
    theta, scores = start, problem.scores(start)
    entropy = -float(np.sum(problem.frequencies * np.log(problem.frequencies)))
    mu, last_mu = FIRST_MU, 0.5 * tol * entropy / problem.classes
    multipliers = (problem.targets + mu) / scores
    iterations, since, converged, is_cut_short = 0, 0, False, False
    losses = [objective(problem, gauge, theta, scores, 0.0)]
    while iterations < max_iter and not (converged or is_cut_short):
        iterations += 1
        previous_mu, mu = mu, _next_mu(newton, gauge, theta, scores, multipliers, mu, last_mu, pace)
        direction = _newton_direction(newton, gauge, theta, scores, multipliers, mu)
        length = _step_length(problem, gauge, theta, scores, direction, mu)
        theta = theta + length * direction.theta
        scores = scores + length * direction.scores
        multipliers = multipliers + (length > 0) * direction.longest_dual(multipliers) * direction.multipliers
        centre = (problem.targets + mu) / scores
        multipliers = np.clip(multipliers, 1e-4 * centre, 1e4 * centre)
        # A Newton step is expected to gain half its slope. Less than the barrier term is not worth another step at this μ.
        is_centred = -direction.slope <= 0.1 * problem.classes * mu
        converged = is_centred and mu == last_mu
        losses.append(objective(problem, gauge, theta, scores, 0.0))
        if is_centred or length == 0:
            mu = max(pace.shrink * mu, last_mu)
        since = 0 if mu < previous_mu else since + 1
        is_cut_short = not converged and since >= pace.patience.window and pace.patience.is_over(losses, tol)
    distance = f"the barrier term is {problem.classes * mu:.1e}, the goal is {problem.classes * last_mu:.1e}, centred"
    if is_cut_short:
        distance = CUT_SHORT
    return Solution(theta / gauge.size(theta), losses[-1], iterations, converged, distance, is_cut_short)


class Gauge:
    """The penalty where Σ b′ = 1 fixes the scale instead of n = Σ b = 1: ½ Σ penalty·θ²/n² for n = Σ eᵀθ, infinite for n ≤ 0.

    The loss does not depend on the scale, so θ/n has the same objective with Σ b = 1. Far from the features' origin the
    intercepts b are an extrapolation; fixing them instead would leave the scale of the scores nearly free.
    """

    def __init__(self, coordinates: Coordinates):
        assert coordinates.to_intercept is not None, "the scale of the scores is fixed by the intercepts"
        self.e, self.penalty = coordinates.to_intercept, coordinates.problem.penalty

    def size(self, theta: Floats) -> float:
        """n."""
        return float(np.sum(self.e.T @ theta))

    def penalised(self, theta: Floats) -> float:
        """The penalty at θ."""
        n = self.size(theta)
        return 0.5 * float(np.sum(self.penalty * theta**2)) / n**2 if n > 0 else np.inf

    def gradient(self, theta: Floats) -> Floats:
        """Its gradient."""
        n = self.size(theta)
        return np.asarray(self.penalty * theta / n**2 - self.e * (float(np.sum(self.penalty * theta**2)) / n**3))


def objective(problem: LinearProblem, gauge: Gauge, theta: Floats, scores: Floats, mu: float) -> float:
    """φ_μ; with μ = 0 it is the penalised loss."""
    target = scores[np.arange(len(scores)), problem.labels]
    rows = np.log(row_sums(scores) / target)
    if mu > 0:
        rows = rows - mu * row_sums(np.log(scores))
    return float(problem.row_weight @ rows) + gauge.penalised(theta)


def row_sums(values: Floats) -> Floats:
    """Σⱼ of each row, as a product, since NumPy's sum is slow for short rows."""
    return np.asarray(values @ np.ones(values.shape[1], values.dtype))


def _gradient(newton: BarrierNewton, gauge: Gauge, theta: Floats, scores: Floats, multipliers: Floats) -> Floats:
    """∂/∂θ of the Lagrangian, projected on Σ b′ = 1. It is the gradient of φ if the multipliers are c/x."""
    problem = newton.problem
    grad_scores = 1.0 / row_sums(scores)[:, None] - multipliers
    grad_scores *= problem.row_weight[:, None]
    gradient = problem.pull_back(grad_scores) + gauge.gradient(theta)
    gradient[-1] -= gradient[-1].mean()
    return gradient


def _next_mu(
    newton: BarrierNewton,
    gauge: Gauge,
    theta: Floats,
    scores: Floats,
    multipliers: Floats,
    mu: float,
    last_mu: float,
    pace: Pace,
) -> float:
    """μ, decreased as long as the optimality conditions of φ_μ hold up to `centred` · μ: gradient, and the mean of |x·z − c|."""
    if mu == last_mu:
        return mu
    problem = newton.problem
    largest = float(np.max(np.abs(_gradient(newton, gauge, theta, scores, multipliers))))
    gap = scores * multipliers - problem.targets
    while mu > last_mu and largest <= pace.centred * mu:
        if float(problem.row_weight @ row_sums(np.abs(gap - mu))) / problem.classes > pace.centred * mu:
            break
        mu = max(pace.shrink * mu, last_mu)
    return mu


def _newton_direction(
    newton: BarrierNewton, gauge: Gauge, theta: Floats, scores: Floats, multipliers: Floats, mu: float
) -> Direction:
    """The primal-dual Newton step towards x·z = c."""
    problem = newton.problem
    ratio = multipliers / scores
    newton.move_to(
        problem.row_weight[:, None] * ratio,
        problem.row_weight / row_sums(scores) ** 2,
        problem.penalty / gauge.size(theta) ** 2,
    )
    wanted = (problem.targets + mu) / scores
    gradient = _gradient(newton, gauge, theta, scores, wanted)
    step = newton.step(gradient)
    moved = problem.scores(step.theta)
    change = wanted - multipliers - ratio * moved
    return Direction(step.theta, moved, change, float(np.sum(gradient * step.theta)), step.is_curved_down)


def _step_length(
    problem: LinearProblem, gauge: Gauge, theta: Floats, scores: Floats, direction: Direction, mu: float
) -> float:
    """A step length that decreases φ and keeps scores positive; 0 if there is none, > 1 only at negative curvature."""

    def phi(length: float) -> float:
        moved = scores + length * direction.scores
        return objective(problem, gauge, theta + length * direction.theta, moved, mu) if moved.min() > 0 else np.inf

    start, longest = objective(problem, gauge, theta, scores, mu), direction.longest(scores)
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
    """The largest a with values + a·change ≥ 0, for values > 0."""
    fastest = -float(np.min(change / values))
    return 1.0 / fastest if fastest > 0 else np.inf
