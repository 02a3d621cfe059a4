"""Fits a model by the method in the mapping's record, from one start or from several if the loss is not convex."""

from __future__ import annotations

from itertools import chain, islice

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.descent import NOT_FINITE, descend
from lastlayer.sklearn.interior_point import follow_interior_path, objective
from lastlayer.sklearn.margin import fit_margins
from lastlayer.sklearn.newton import descend_by_newton, has_known_hessian
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.starts import default_start, inside, random_starts


def fit_from_starts(
    problem: LinearProblem,
    mapping: ll.ProbabilityMapping,
    *,
    first: Floats | None,
    n_restarts: int,
    random_state: int | np.random.RandomState | None,
    tol: float,
    max_iter: int,
) -> tuple[Solution, float]:
    """The best solution, and the largest minus the smallest objective over the starts (of the scaled problem).

    A loss that is convex in the scores needs one start. `first`, θ of an earlier fit, replaces the default start, except for
    the interior-point method: its path goes through the middle of the domain wherever it starts.

    Raises:
        ValueError: no start ended at a finite objective and finite weights.
    """
    if first is None or mapping.linear.method == "interior_point":
        first = default_start(problem, mapping)
    starts = chain([first], random_starts(problem, mapping, random_state))
    count = 1 if "convex_loss" in mapping.laws else n_restarts
    solutions = [
        solution
        for start in islice(starts, count)
        if (solution := _attempt(problem, mapping, start, tol, max_iter)) is not None
    ]
    if not solutions:
        raise ValueError(
            f"{mapping.label} cannot be fitted to these features: no start led to a finite loss and finite weights. "
            "Bring the features to a common scale (StandardScaler), or choose a C nearer to 1."
        )
    objectives = [solution.objective for solution in solutions]
    # Among solutions whose objectives differ by less than tol, take the first, so that rounding does not choose.
    best = next(solution for solution in solutions if solution.objective <= min(objectives) + tol)
    return best, max(objectives) - min(objectives)


def _attempt(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, start: Floats, tol: float, max_iter: int
) -> Solution | None:
    """The solution from one start; None if the arithmetic breaks down or the result is not finite."""
    try:
        # The line search rejects a step that overflows; an overflow that remains is seen in the result.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            solution = _solve(problem, mapping, start, tol, max_iter)
    except (np.linalg.LinAlgError, ArithmeticError):
        return None
    is_finite = solution.objective < NOT_FINITE and bool(np.isfinite(solution.theta).all())
    return solution if is_finite else None


def _solve(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, start: Floats, tol: float, max_iter: int
) -> Solution:
    match mapping.linear.method:
        case "margin":
            return fit_margins(problem, start, tol=tol, max_iter=max_iter)
        case "interior_point":
            start = inside(problem, start, default_start(problem, mapping))
            _check_proportional(problem, mapping, start)
            return follow_interior_path(problem, start, tol=tol, max_iter=max_iter)
        case "loss" if has_known_hessian(mapping):
            return descend_by_newton(problem, mapping, start, tol=tol, max_iter=max_iter)
        case "loss":
            return descend(problem, mapping, start, tol=tol, max_iter=max_iter)


def _check_proportional(problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats) -> None:
    """Raise ValueError unless the mapping's loss is the ratio's, which the interior-point method assumes."""
    scores = problem.scores(theta)
    value = ll.loss(scores, problem.labels, mapping=mapping, sample_weight=problem.row_weight, reduction="sum")
    if not np.isclose(value + problem.penalised(theta), objective(problem, theta, scores, problem.targets), rtol=1e-9):
        raise ValueError(
            f"{mapping.label} declares linear.method='interior_point', which minimises log Σx − log x of the target, "
            "but it has a different loss; declare method='loss'."
        )
