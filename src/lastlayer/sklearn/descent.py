"""Method "loss": L-BFGS on the mapping's loss and gradient, in whitened variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.progress import CUT_SHORT, Patience
from lastlayer.sklearn.quasi_newton import Verdict, minimise
from lastlayer.sklearn.whitening import whitening

#: The objective returned for weights whose loss is not finite.
NOT_FINITE = 1e100
#: A descent that no step continues has converged if its gradient is within this times `tol`: rounding hides the decrease.
STUCK = 100
#: The predicted decrease is believed if this many iterations gained no more than is left.
SETTLED = 2
#: The longest step of a loss that is not convex: how much the scores may change, in root mean square.
STEP = 0.5
#: Iterations that every fit is allowed: if the loss is convex, if a product with the design takes few multiplications, and else.
MANY, SOME, FEW = 60, 35, 22
CHEAP = 20_000
#: After this many times these iterations a fit may be cut short even if the model predicts that it is near.
LONG = 1.5
#: A descent is given up if it would need more than this many times its predicted decrease to beat its rival.
HOPE = 5.0


def descend(
    coordinates: Coordinates,
    mapping: ll.ProbabilityMapping,
    start: Floats,
    *,
    tol: float,
    max_iter: int,
    rival: float | None = None,
) -> Solution:
    """Minimise from θ `start` until no entry of the gradient exceeds `tol`, and the predicted decrease is below `tol` times the
    objective.

    With a `rival` only the predicted decrease counts, and the descent ends as soon as it will not come below that objective.
    """
    problem = coordinates.problem
    constraint = INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint if problem.has_intercept else "none"]
    e = coordinates.to_intercept if coordinates.to_intercept is not None else np.zeros((problem.penalty.size, 1))
    has_penalty = bool(problem.penalty.any())
    white = whitening(coordinates, mapping, start)

    def objective(inner: Floats) -> tuple[float, Floats]:
        theta = white.outer(inner)
        phi = constraint.impose(theta, e)
        value, gradient = objective_and_gradient(problem, mapping, phi)
        return value, white.pull_back(constraint.pull_back(theta, e, phi, gradient))

    def largest_entry(inner: Floats, inner_gradient: Floats) -> float:
        """The largest entry of the gradient in φ and standardised features, along the constraint."""
        theta = white.outer(inner)
        outer, imposed = float(np.linalg.norm(theta)), float(np.linalg.norm(constraint.impose(theta, e)))
        size = outer / imposed if outer > 0 and imposed > 0 else 1.0
        gradient = size * white.push_forward(inner_gradient)
        return float(np.max(np.abs(coordinates.standardised_gradient(gradient))))

    def judge(inner: Floats, values: Sequence[float], gradient: Floats, predicted: float) -> Verdict:
        enough = tol * abs(values[-1])
        gained = values[max(0, len(values) - SETTLED - 1)] - values[-1]
        is_near = predicted <= enough and (gained <= enough or predicted <= 0.01 * enough)
        if rival is not None:
            is_beaten = np.isfinite(rival) and len(values) > 6 and values[-1] - HOPE * predicted > rival
            return Verdict.DONE if predicted <= enough or is_beaten else Verdict.GO_ON
        if (is_near or not has_penalty) and largest_entry(inner, gradient) <= tol:
            return Verdict.DONE
        is_far = predicted > enough or len(values) > LONG * fewest
        is_slow = has_penalty and is_far and patience.is_over(values, tol)
        return Verdict.CUT_SHORT if is_slow else Verdict.GO_ON

    # A loss with several minima is descended in small steps: a long one may land where another class has the row.
    is_convex = "convex_loss" in mapping.laws
    longest = np.inf if is_convex else STEP * white.size
    is_cheap = problem.classes * len(problem.labels) * problem.penalty.size <= CHEAP
    fewest = MANY if is_convex else SOME if is_cheap else FEW
    patience = Patience(share=4.0, window=6, fewest=fewest)
    found = minimise(objective, white.inner(start), judge=judge, max_iter=max_iter, longest=longest)
    theta = constraint.impose(white.outer(found.point), e)
    largest = largest_entry(found.point, found.gradient)
    solution = stopped(theta, found.value, largest, found.predicted, found.iterations, found.is_stuck, tol, has_penalty)
    if found.verdict is Verdict.CUT_SHORT and not solution.converged:
        return replace(solution, distance=CUT_SHORT, is_cut_short=True)
    return solution


def stopped(
    theta: Floats,
    objective: float,
    largest: float,
    predicted: float,
    iterations: int,
    is_stuck: bool,
    tol: float,
    has_penalty: bool,
) -> Solution:
    """The result of a descent, judged by its gradient. `is_stuck` means that no step decreased the objective any more."""
    is_near = predicted <= tol * abs(objective) or not has_penalty
    converged = bool((largest <= tol and is_near) or (is_stuck and largest <= STUCK * tol))
    distance = f"the largest entry of its gradient is {largest:.1e}, tol is {tol:g}"
    if largest <= tol and not converged:
        distance = (
            f"its objective is predicted to decrease by a share of {predicted / abs(objective):.1e}, tol is {tol:g}"
        )
    return Solution(theta, objective, iterations, converged, distance)


def objective_and_gradient(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats
) -> tuple[float, Floats]:
    """The scaled objective and its gradient in θ.

    It is `NOT_FINITE` if a row is outside the domain or its label has probability 0.
    """
    scores = problem.scores(theta)
    loss, grad_scores = ll.loss_and_grad(
        scores,
        problem.labels,
        mapping=mapping,
        sample_weight=problem.row_weight,
        reduction="sum",
        on_domain="nan",
        out=scores,
    )
    penalised = problem.penalised(theta)
    if not np.isfinite(loss + penalised):
        # A finite value far above any loss makes the line search step back; inf would end it.
        return NOT_FINITE, np.zeros_like(theta)
    gradient = problem.pull_back(grad_scores) + problem.penalty * theta
    return float(loss) + penalised, gradient
