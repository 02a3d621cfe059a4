"""Fits a model by the method in the mapping's record, from one start or from several if the loss is not convex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from scipy import sparse

import lastlayer as ll
from lastlayer.sklearn.coordinates import Coordinates, coordinates, standardised
from lastlayer.sklearn.descent import NOT_FINITE, descend
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.interior_point import follow_interior_path
from lastlayer.sklearn.margin import fit_margins
from lastlayer.sklearn.newton import descend_by_newton, has_known_hessian
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.screening import has_room, screen
from lastlayer.sklearn.smoothed_margin import fit_smoothed_margins
from lastlayer.sklearn.starts import default_start, random_starts

#: Margins are fitted by the quadratic program, which factors a matrix of all K·D variables, if that takes at most this many
#: multiplications.
SMALL = 2e7
#: With at least this many rows a descent starts where one on few rows ends.
MANY = 5000


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
    inner = prepare(problem, mapping)
    count = 1 if "convex_loss" in mapping.laws else n_restarts
    others = [] if mapping.linear.method != "loss" else islice(random_starts(problem, mapping, random_state), count - 1)
    start = None if first is None else inner.enter(first)
    solution, spread = solve(
        inner, mapping, first=start, others=[inner.enter(theta) for theta in others], tol=tol, max_iter=max_iter
    )
    theta = inner.leave(solution.theta)
    if not np.isfinite(theta).all():
        raise ValueError(_no_fit(mapping))
    return replace(solution, theta=theta), spread


def prepare(problem: LinearProblem, mapping: ll.ProbabilityMapping, *, is_path: bool = False) -> Coordinates:
    """The variables that suit the mapping's method, for one fit or for a path of them."""
    width = problem.penalty.size - problem.has_intercept
    is_tall = sparse.issparse(problem.design) or len(problem.labels) >= width
    if is_tall and not is_path and has_known_hessian(mapping):
        # Newton's method decomposes the Gram matrix in float32 and needs no rotated copy of the design.
        return standardised(problem)
    return coordinates(problem, keeps_offset=INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint].needs_intercept)


def solve(
    inner: Coordinates,
    mapping: ll.ProbabilityMapping,
    *,
    first: Floats | None,
    others: Sequence[Floats],
    tol: float,
    max_iter: int,
) -> tuple[Solution, float]:
    """The solution in the variables of `inner`, and the spread of the starts.

    Raises:
        ValueError: no start ended at a finite objective and finite weights.
    """
    try:
        # The line search rejects a step that overflows; an overflow that remains is seen in the result.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            solution, spread = _solve(inner, mapping, first, others, tol, max_iter)
    except (np.linalg.LinAlgError, ArithmeticError) as error:
        raise ValueError(_no_fit(mapping)) from error
    if not (solution.objective < NOT_FINITE and np.isfinite(solution.theta).all()):
        raise ValueError(_no_fit(mapping))
    return solution, spread


def _no_fit(mapping: ll.ProbabilityMapping) -> str:
    return (
        f"{mapping.label} cannot be fitted to these features: no start led to a finite loss and finite weights. "
        "Bring the features to a common scale (StandardScaler), or choose a C nearer to 1."
    )


def _solve(
    inner: Coordinates,
    mapping: ll.ProbabilityMapping,
    first: Floats | None,
    others: Sequence[Floats],
    tol: float,
    max_iter: int,
) -> tuple[Solution, float]:
    problem = inner.problem
    start = default_start(problem, mapping) if first is None else first
    match mapping.linear.method:
        case "margin":
            variables = problem.penalty.size * problem.classes
            is_small = (len(problem.labels) + variables) * variables**2 <= SMALL
            fit = fit_margins if is_small else fit_smoothed_margins
            return fit(inner, start, tol=tol, max_iter=max_iter), 0.0
        case "interior_point":
            start = default_start(problem, mapping)
            _check_proportional(problem, mapping, start)
            return follow_interior_path(inner, start, tol=tol, max_iter=max_iter), 0.0
        case "loss" if has_known_hessian(mapping):
            return descend_by_newton(inner, mapping, start, tol=tol, max_iter=max_iter), 0.0
        case "loss":
            spread = 0.0
            if others and not has_room(inner, mapping, start):
                others = []
            if others or (first is None and len(problem.labels) >= MANY):
                start, spread = screen(inner, mapping, [start, *others])
            return descend(inner, mapping, start, tol=tol, max_iter=max_iter), spread


def _check_proportional(problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats) -> None:
    """Raise ValueError unless the mapping's loss is the ratio's, which the interior-point method assumes."""
    scores = problem.scores(theta)
    value = ll.loss(scores, problem.labels, mapping=mapping, sample_weight=problem.row_weight, reduction="sum")
    ratio = np.log(scores.sum(axis=1) / scores[np.arange(len(scores)), problem.labels])
    if not np.isclose(value, problem.row_weight @ ratio, rtol=1e-9):
        raise ValueError(
            f"{mapping.label} declares linear.method='interior_point', which minimises log Σx − log x of the target, "
            "but it has a different loss; declare method='loss'."
        )
