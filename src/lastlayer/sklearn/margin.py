"""Method "margin": the multiclass hinge loss of Crammer & Singer, for a mapping whose loss is already minimal at W = 0.

    minimise  Σᵢ sᵢ [maxⱼ (xᵢⱼ + 1[j ≠ tᵢ]) − x_{i,tᵢ}] + ½ Σ penalty·θ²

This is a quadratic program with slacks rᵢⱼ = ξᵢ − xᵢⱼ − 1[j ≠ tᵢ] ≥ 0 and multipliers qᵢ in the simplex. It is solved by
Mehrotra's predictor-corrector method (Nocedal & Wright 2006, section 16.6). The multipliers give a lower bound of the optimum,

    Σᵢ sᵢ ⟨qᵢ, 1 − e_{tᵢ}⟩ − ‖Σᵢ sᵢ xᵢᵀ(qᵢ − e_{tᵢ})‖²/(2·penalty)    if Σᵢ sᵢ(qᵢ − e_{tᵢ}) = 0,

so that the gap to the optimum is proved. `smoothed_margin.py` serves larger problems. Source: Crammer & Singer 2001, JMLR 2.
"""

from __future__ import annotations

import numpy as np

from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.margin_newton import margin_newton
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution

FRACTION_TO_BOUNDARY = 0.995
#: For a warm start: the distance of ξ above the largest margin of the earlier fit.
ROOM = 0.1
#: Stop after this many iterations that do not reduce the gap by a tenth: rounding or inexact Newton steps prevent progress.
PATIENCE = 20


def fit_margins(coordinates: Coordinates, start: Floats, *, tol: float, max_iter: int) -> Solution:
    """Minimise until the objective is proved to be within `tol` of the optimum, relatively.

    `start` has zero weights, or the weights of an earlier fit.
    """
    problem = coordinates.problem
    has_weights = bool(start[problem.penalty[:, 0] > 0].any())
    theta = start if has_weights else np.zeros_like(start)
    margins = _margins(problem, theta)
    # Halfway between W = 0 (the frequencies) and rows that all keep their margin (the targets), so away from all corners.
    multipliers = 0.5 * (problem.targets + problem.frequencies)
    if has_weights:
        # On the central path r·q is constant, so q ∝ 1/r. Take the mean of that and the point above: Newton fails at corners.
        slacks = margins.max(axis=1, keepdims=True) + ROOM - margins
        shares = 1.0 / slacks
        multipliers = 0.5 * (multipliers + shares / shares.sum(axis=1, keepdims=True))
    else:
        slacks = 2.0 - margins
    best, best_value, bound, gap, last_gain, iteration = theta, hinge_objective(problem, theta), 0.0, 1.0, 0, 0
    for iteration in range(1, max_iter + 1):
        least = 0.1 * tol * best_value / problem.classes
        theta, slacks, multipliers = _predict_and_correct(problem, theta, slacks, multipliers, least)
        value = hinge_objective(problem, theta)
        bound = max(bound, lower_bound(problem, multipliers))
        if value < best_value:
            best, best_value = theta, value
        if (best_value - bound) / best_value < 0.9 * gap:
            gap, last_gain = (best_value - bound) / best_value, iteration
        if gap <= tol or iteration - last_gain >= PATIENCE:
            break
    distance = f"its objective is proved to be within {gap:.1e} of the optimum, tol is {tol:g}"
    return Solution(best, best_value, iteration, gap <= tol, distance)


def hinge_objective(problem: LinearProblem, theta: Floats) -> float:
    """The penalised multiclass hinge loss of the scaled problem."""
    margins = _margins(problem, theta)
    return float(problem.row_weight @ margins.max(axis=1)) + problem.penalised(theta)


def lower_bound(problem: LinearProblem, multipliers: Floats) -> float:
    """A lower bound of the objective over all θ, from any multipliers ≥ 0.

    Free intercepts require multipliers whose mean is the class frequencies, so the missing amount is mixed in first. The bound
    is a parabola along the way from the targets, where it is 0, to the multipliers; its largest value on the way is taken.
    """
    q = multipliers / multipliers.sum(axis=1, keepdims=True)
    if problem.has_intercept:
        mean = problem.row_weight @ q
        share = min(1.0, float(np.min(problem.frequencies / mean)))
        q = share * q + (problem.frequencies - share * mean)
    pull = problem.pull_back(problem.row_weight[:, None] * (q - problem.targets))
    is_weight = problem.penalty[:, 0] > 0
    quadratic = float(np.sum(pull[is_weight] ** 2 / problem.penalty[is_weight]))
    linear = float(np.sum(problem.row_weight[:, None] * q * (1.0 - problem.targets)))
    way = min(1.0, linear / quadratic) if quadratic > 0 else 1.0
    return way * linear - 0.5 * way**2 * quadratic


def _margins(problem: LinearProblem, theta: Floats) -> Floats:
    """xᵢⱼ − x_{i,tᵢ} + 1[j ≠ tᵢ]; zero for the target."""
    scores = problem.scores(theta)
    return scores - np.sum(scores * problem.targets, axis=1, keepdims=True) + 1.0 - problem.targets


def _predict_and_correct(
    problem: LinearProblem, theta: Floats, slacks: Floats, multipliers: Floats, least: float
) -> tuple[Floats, Floats, Floats]:
    """One iteration: the affine step shows how far the products r·q can shrink, and the second step aims there.

    It does not aim below `least`: products that shrink faster than the other conditions leave no room to meet those.
    """
    weight = problem.row_weight[:, None]
    ratio = multipliers / slacks
    total = ratio.sum(axis=1, keepdims=True)
    residual = problem.pull_back(weight * (multipliers - problem.targets)) + problem.penalty * theta
    solve = margin_newton(problem, ratio)

    def direction(change_of_products: Floats) -> tuple[Floats, Floats, Floats]:
        """Steps in θ, r and q that move r·q by this much to first order and bring Σⱼ qᵢⱼ to one."""
        wanted = change_of_products / slacks
        wanted_sum = (wanted + multipliers).sum(axis=1, keepdims=True) - 1.0
        step = solve(-residual - problem.pull_back(weight * (wanted - ratio * (wanted_sum / total))))
        # A part common to all classes changes nothing; remove it, or rounding errors would accumulate in it.
        step = step - step.mean(axis=1, keepdims=True)
        moved = problem.scores(step)
        slack_step = (wanted_sum + np.sum(ratio * moved, axis=1, keepdims=True)) / total - moved
        return step, slack_step, wanted - ratio * slack_step

    def mean_product(slacks: Floats, multipliers: Floats) -> float:
        return float(np.sum(weight * slacks * multipliers)) / problem.classes

    _, slack_step, multiplier_step = direction(-slacks * multipliers)
    reached = mean_product(
        slacks + _longest(slacks, slack_step) * slack_step,
        multipliers + _longest(multipliers, multiplier_step) * multiplier_step,
    )
    now = mean_product(slacks, multipliers)
    goal = max(now * (reached / now) ** 3, least)
    theta_step, slack_step, multiplier_step = direction(goal - slacks * multipliers - slack_step * multiplier_step)
    primal = FRACTION_TO_BOUNDARY * _longest(slacks, slack_step)
    dual = FRACTION_TO_BOUNDARY * _longest(multipliers, multiplier_step)
    return theta + primal * theta_step, slacks + primal * slack_step, multipliers + dual * multiplier_step


def _longest(values: Floats, change: Floats) -> float:
    """The largest a ≤ 1 with values + a·change ≥ 0."""
    falling = change < 0
    return min(1.0, float(np.min(-values[falling] / change[falling], initial=1.0)))
