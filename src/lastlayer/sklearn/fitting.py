"""One fit: the method that the mapping's record asks for, from as many starts as its loss needs."""

from __future__ import annotations

from itertools import chain, islice

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.descent import NOT_FINITE, descend
from lastlayer.sklearn.interior_point import follow_interior_path, objective
from lastlayer.sklearn.margin import fit_margins
from lastlayer.sklearn.newton import descend_by_newton, has_known_hessian
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.starts import inside, plain_start, random_starts


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
    """The best solution, and how far apart the objectives of all starts ended (of the scaled problem).

    One start where the loss is convex in the scores. `first`, θ of an earlier fit, takes the place of the plain start for
    the methods that gain from it: the interior path passes through the middle of its domain wherever it begins.

    Raises:
        ValueError: no start ended at a finite objective and finite weights.
    """
    if first is None or mapping.linear.method == "interior_point":
        first = plain_start(problem, mapping)
    starts = chain([first], random_starts(problem, mapping, random_state))
    count = 1 if "convex_loss" in mapping.laws else n_restarts
    solutions = [
        solution
        for start in islice(starts, count)
        if (solution := _attempt(problem, mapping, start, tol, max_iter)) is not None
    ]
    if not solutions:
        raise ValueError(
            f"{mapping.label} cannot be fitted to these features: its loss is not finite wherever the search went. "
            "Bring the features to a common scale (StandardScaler), or choose a C nearer to 1."
        )
    objectives = [solution.objective for solution in solutions]
    # The first one of those that tol cannot tell apart, so that rounding errors do not choose between them.
    best = next(solution for solution in solutions if solution.objective <= min(objectives) + tol)
    return best, max(objectives) - min(objectives)


def _attempt(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, start: Floats, tol: float, max_iter: int
) -> Solution | None:
    """The solution from one start, None where the arithmetic broke down on the way."""
    try:
        # A step that overflows is one that the line search rejects; what is left of it shows in the result.
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
            start = inside(problem, start, plain_start(problem, mapping))
            _check_proportional(problem, mapping, start)
            return follow_interior_path(problem, start, tol=tol, max_iter=max_iter)
        case "loss" if has_known_hessian(mapping):
            return descend_by_newton(problem, mapping, start, tol=tol, max_iter=max_iter)
        case "loss":
            return descend(problem, mapping, start, tol=tol, max_iter=max_iter)


def _check_proportional(problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats) -> None:
    """Raise ValueError unless the mapping's loss is the one that the interior path is written for."""
    scores = problem.scores(theta)
    own = ll.loss(scores, problem.labels, mapping=mapping, sample_weight=problem.row_weight, reduction="sum")
    if not np.isclose(own + problem.penalised(theta), objective(problem, theta, scores, problem.targets), rtol=1e-9):
        raise ValueError(
            f"{mapping.label} asks for linear.method='interior_point', which minimises log Σx − log x of the target, "
            "but its loss is another; declare method='loss'."
        )
