"""Starts of a loss with several minima, compared on few rows and loosely, so that only one is followed to the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

import lastlayer as ll
from lastlayer.sklearn.coordinates import Coordinates
from lastlayer.sklearn.descent import NOT_FINITE, descend, objective_and_gradient
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution
from lastlayer.sklearn.whitening import score_curvature

#: Rows to screen on: at least this many, and this many per column. All rows if there are less than twice as many.
ROWS, ROWS_PER_COLUMN = 1000, 20
#: Tolerance and iterations of the screening, in float32.
TOL, ITERATIONS = 1e-3, 30
#: A start replaces the default one if its objective is lower by more than this share.
BETTER = 2e-3


class Screened(NamedTuple):
    """Where to start on all rows."""

    theta: Floats
    #: Largest minus smallest objective reached from the starts, on the rows that were screened.
    spread: float


def screen(coordinates: Coordinates, mapping: ll.ProbabilityMapping, starts: Sequence[Floats]) -> Screened:
    """The end of the first start, or of a better one, in the variables of `coordinates`.

    The other starts are given up as soon as they will not be better. If few rows end far from all rows, it is the first start.
    """
    rows = screening_rows(coordinates.problem)
    sketch = coordinates.sketch(rows)
    first = descend(sketch, mapping, starts[0], tol=TOL, max_iter=ITERATIONS, rival=-np.inf)
    if not _is_finite(first):
        return Screened(starts[0], 0.0)
    goal = first.objective - BETTER * abs(first.objective)
    ends = [descend(sketch, mapping, start, tol=TOL, max_iter=ITERATIONS, rival=goal) for start in starts[1:]]
    values = [end.objective for end in [first, *ends] if _is_finite(end)]
    best = min([first, *ends], key=lambda end: end.objective if _is_finite(end) and end.objective < goal else goal)
    best = best if best.objective < goal else first
    # float32 may have left the domain by a hair, and few rows may say little about all of them.
    at_end, _ = objective_and_gradient(coordinates.problem, mapping, best.theta)
    at_start, _ = objective_and_gradient(coordinates.problem, mapping, starts[0])
    theta = best.theta if at_end < at_start else starts[0]
    return Screened(theta, max(values) - min(values))


def has_room(coordinates: Coordinates, mapping: ll.ProbabilityMapping, theta: Floats) -> bool:
    """Whether the penalty leaves room for several minima: some weight has more curvature of the loss at θ than of the penalty."""
    problem = coordinates.problem
    curvatures, _ = score_curvature(problem, mapping, theta)
    of_weights = slice(0, problem.penalty.size - problem.has_intercept)
    return bool((curvatures.max() * coordinates.moments > problem.penalty)[of_weights].any())


def _is_finite(end: Solution) -> bool:
    return end.objective < NOT_FINITE and bool(np.isfinite(end.theta).all())


def screening_rows(problem: LinearProblem) -> np.ndarray | None:
    """Rows spread evenly over each class, or None for all of them."""
    count = max(ROWS, ROWS_PER_COLUMN * problem.penalty.size)
    if len(problem.labels) < 2 * count:
        return None
    order = np.argsort(problem.labels, kind="stable")
    sizes = np.bincount(problem.labels, minlength=problem.classes)
    first, chosen = 0, []
    for size in sizes:
        kept = max(1, round(count * size / len(order)))
        chosen.append(order[first + np.linspace(0, size - 1, kept).astype(np.intp)])
        first += size
    return np.sort(np.concatenate(chosen))
