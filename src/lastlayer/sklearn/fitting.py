"""Fits a model by the method in the mapping's record, from one start or from several if the loss is not convex."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from scipy import sparse

import lastlayer as ll
from lastlayer.sklearn.coordinates import Coordinates, coordinates, standardised
from lastlayer.sklearn.descent import NOT_FINITE, descend
from lastlayer.sklearn.interior_point import follow_interior_path, objective
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.margin import fit_margins
from lastlayer.sklearn.newton import descend_by_newton, has_known_hessian
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.screening import screen
from lastlayer.sklearn.smoothed_margin import fit_smoothed_margins
from lastlayer.sklearn.starts import default_start, inside, random_starts

#: Margins are fitted by the quadratic program, which factors a matrix of all K·D variables, if that takes at most this many
#: multiplications.
SMALL = 2e7


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
    count = 1 if "convex_loss" in mapping.laws else n_restarts
    others = (
        []
        if mapping.linear.method != "loss"
        else list(islice(random_starts(problem, mapping, random_state), count - 1))
    )
    try:
        # The line search rejects a step that overflows; an overflow that remains is seen in the result.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            solution, spread = _solve(problem, mapping, first, others, tol, max_iter)
    except (np.linalg.LinAlgError, ArithmeticError):
        solution = None
    if solution is None or not (solution.objective < NOT_FINITE and np.isfinite(solution.theta).all()):
        raise ValueError(
            f"{mapping.label} cannot be fitted to these features: no start led to a finite loss and finite weights. "
            "Bring the features to a common scale (StandardScaler), or choose a C nearer to 1."
        )
    return solution, spread


def prepare(problem: LinearProblem, mapping: ll.ProbabilityMapping) -> Coordinates:
    """The variables that suit the mapping's method."""
    width = problem.penalty.size - problem.has_intercept
    is_tall = sparse.issparse(problem.design) or len(problem.labels) >= width
    if is_tall and has_known_hessian(mapping):
        # Newton's method decomposes the Gram matrix in float32 and needs no rotated copy of the design.
        return standardised(problem)
    return coordinates(problem, keeps_offset=INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint].needs_intercept)


def _solve(
    problem: LinearProblem,
    mapping: ll.ProbabilityMapping,
    first: Floats,
    others: list[Floats],
    tol: float,
    max_iter: int,
) -> tuple[Solution, float]:
    spread = 0.0
    match mapping.linear.method:
        case "margin":
            inner = coordinates(problem)
            start = inner.enter(first)
            variables = inner.problem.penalty.size * problem.classes
            if (len(problem.labels) + variables) * variables**2 <= SMALL:
                solution = fit_margins(inner.problem, start, tol=tol, max_iter=max_iter)
            else:
                solution = fit_smoothed_margins(inner, start, tol=tol, max_iter=max_iter)
            theta = inner.leave(solution.theta)
            # A part common to all classes changes nothing.
            return replace(solution, theta=theta - theta.mean(axis=1, keepdims=True)), spread
        case "interior_point":
            _check_proportional(problem, mapping, first)
            inner = coordinates(problem, keeps_offset=True)
            solution = follow_interior_path(inner, inner.enter(first), tol=tol, max_iter=max_iter)
            return replace(solution, theta=inner.leave(solution.theta)), spread
        case "loss":
            inner = prepare(problem, mapping)
            start = inner.enter(first)
            if has_known_hessian(mapping):
                solution = descend_by_newton(inner, mapping, start, tol=tol, max_iter=max_iter)
            else:
                if others or len(problem.labels) > 5000:
                    start, spread = screen(inner, mapping, [start, *map(inner.enter, others)])
                solution = descend(inner, mapping, start, tol=tol, max_iter=max_iter)
            return replace(solution, theta=inner.leave(solution.theta)), spread


def _check_proportional(problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats) -> None:
    """Raise ValueError unless the mapping's loss is the ratio's, which the interior-point method assumes."""
    scores = problem.scores(theta)
    value = ll.loss(scores, problem.labels, mapping=mapping, sample_weight=problem.row_weight, reduction="sum")
    if not np.isclose(value + problem.penalised(theta), objective(problem, theta, scores, 0.0), rtol=1e-9):
        raise ValueError(
            f"{mapping.label} declares linear.method='interior_point', which minimises log Σx − log x of the target, "
            "but it has a different loss; declare method='loss'."
        )
