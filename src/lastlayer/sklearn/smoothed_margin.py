"""Method "margin" for many variables: the maximum in the hinge loss is smoothed by a temperature τ that decreases.

    lossᵢ = τ log Σⱼ exp(mᵢⱼ/τ)  with the margins  mᵢⱼ = xᵢⱼ − x_{i,tᵢ} + 1[j ≠ tᵢ]

is softmax's log loss of (x + 1 − y)/τ, so that softmax's truncated Newton steps serve. p = softmax(m/τ) are multipliers for the
lower bound of `margin.py`, and prove how far the hinge loss is from its optimum. Smoothing raises the loss by at most τ log K.

Source: Nesterov 2005 (smooth minimisation of non-smooth functions).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.curvature import Curvature
from lastlayer.sklearn.margin import hinge_objective, lower_bound
from lastlayer.sklearn.preconditioner import Preconditioners, centred
from lastlayer.sklearn.problem import Floats, Solution
from lastlayer.sklearn.progress import Patience

#: The first τ, and the factor by which it decreases when the iterate is close to the optimum for it.
FIRST, SHRINK = 1.0, 0.25
#: The first τ from weights of an earlier fit.
WARM = 0.25
#: Close: the predicted decrease is below this share of what smoothing adds.
CLOSE = 0.3
#: Stop at this many times tol, but not above `LOOSEST`: the last digits cost most, and do not change the predictions.
ENOUGH, LOOSEST = 100.0, 2e-2
PATIENCE = Patience(share=4.0, window=4, fewest=8)
#: How accurately a step is solved for, and the largest number of products that this may take.
RTOL, PRODUCTS = 0.3, 15


def fit_smoothed_margins(coordinates: Coordinates, start: Floats, *, tol: float, max_iter: int) -> Solution:
    """Minimise until the objective is proved to be within `ENOUGH` · `tol` of the optimum, relatively."""
    problem = coordinates.problem
    goal = max(tol, min(ENOUGH * tol, LOOSEST))
    theta, tau = start - start.mean(axis=1, keepdims=True), WARM if start[problem.penalty[:, 0] > 0].any() else FIRST
    curvature = Curvature(problem)
    moments = coordinates.moments if coordinates.is_uncorrelated else None
    preconditioners = Preconditioners(curvature, moments)
    shifts = 1.0 - problem.targets

    def evaluate(theta: Floats) -> tuple[float, Floats]:
        """The smoothed objective, and the gradient in the scores."""
        scores = (problem.scores(theta) + shifts) / tau
        loss, grad_scores = ll.loss_and_grad(
            scores, problem.labels, sample_weight=problem.row_weight, reduction="sum", out=scores
        )
        return tau * float(loss) + problem.penalised(theta), grad_scores

    best, best_value, bound, iterations, products = theta, hinge_objective(problem, theta), 0.0, 0, 0
    blocks = None
    values = [best_value]
    value, grad_scores = evaluate(theta)
    while True:
        gradient = problem.pull_back(grad_scores) + problem.penalty * theta
        # H = (weights + τ penalty)/τ: solve with τ times the penalty and the gradient.
        scaled = replace(problem, penalty=tau * problem.penalty)
        curvature.problem = preconditioners.problem = scaled
        preconditioners.penalty = np.where(scaled.penalty > 0, scaled.penalty, preconditioners.ridge)
        curvature.move_to(grad_scores)
        precondition = centred(blocks or preconditioners.shared())
        size = tau * float(np.sum(gradient * precondition(gradient)))
        hinge = hinge_objective(problem, theta)
        if hinge < best_value:
            best, best_value = theta, hinge
        added = max(value - hinge, 0.0)
        is_slow = PATIENCE.is_over(values, tol)
        if 0.5 * size <= CLOSE * added or iterations >= max_iter or is_slow:
            p = np.asarray(curvature.p, dtype=np.float64)
            bound = max(bound, lower_bound(problem, np.maximum(p, 0.0)))
            if (best_value - bound) / best_value <= goal or iterations >= max_iter or is_slow:
                break
            tau *= SHRINK
            value, grad_scores = evaluate(theta)
            continue
        iterations += 1
        values.append(best_value)
        if preconditioners.has_blocks and products > preconditioners.price:
            blocks, products = preconditioners.blocks(), 0
            precondition = centred(blocks)
        solved = conjugate_gradients(curvature.multiply, -tau * gradient, precondition, rtol=RTOL, max_iter=PRODUCTS)
        products += solved.products
        slope, length = float(np.sum(gradient * solved.step)), 1.0
        while (found := evaluate(theta + length * solved.step))[0] > value + 1e-4 * length * slope + 1e-14 * abs(value):
            length *= 0.5
            if length < 1e-6:
                break
        if length < 1e-6:
            tau *= SHRINK
            value, grad_scores = evaluate(theta)
            continue
        theta = theta + length * solved.step
        value, grad_scores = found
    gap = (best_value - bound) / best_value
    distance = f"its objective is proved to be within {gap:.1e} of the optimum, tol is {tol:g}"
    if gap > tol and (is_slow or gap <= goal):
        distance = f"it was cut short with an objective proved to be within {gap:.1e} of the optimum"
    return Solution(best, best_value, iterations, gap <= tol, distance, gap > tol and (is_slow or gap <= goal))
