"""Starts of a fit: the default start, and seeded random ones for a loss with several minima."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.utils import check_random_state

import lastlayer as ll
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.problem import Floats, LinearProblem

#: The spread of random starts. On digits, iris, wine and breast cancer 0.1 led back to the minimum of the default start, 1 led
#: to far worse minima in twice the iterations, and 0.3 sometimes led to a better one.
SPREAD = 0.3


def default_start(problem: LinearProblem, mapping: ll.ProbabilityMapping) -> Floats:
    """W = 0 and the record's starting intercepts for the class frequencies, which are inside the domain."""
    theta = np.zeros((problem.penalty.size, problem.classes))
    if problem.has_intercept:
        theta[-1] = mapping.linear.start_intercept(problem.frequencies)
    return theta


def random_starts(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, random_state: int | np.random.RandomState | None
) -> Iterator[Floats]:
    """The default start plus noise that spreads the scores by `SPREAD` times their size, for features of any scale."""
    random = check_random_state(random_state)
    base = default_start(problem, mapping)
    size = SPREAD * (float(np.sqrt(np.mean(problem.scores(base) ** 2))) or 1.0)
    features = problem.gram_diagonals(problem.row_weight[:, None])
    unit = 1.0 / np.sqrt(np.maximum(features, np.finfo(float).tiny) * len(features))
    constraint = INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint]
    while True:
        theta = base + size * np.where(features > 0, unit, 0.0) * random.standard_normal(base.shape)
        if problem.has_intercept:
            theta[-1:] = constraint.impose(theta[-1:], np.ones((1, 1)))
        yield theta


def inside(problem: LinearProblem, start: Floats, centre: Floats, least: float = 0.2) -> Floats:
    """`start` moved towards `centre` until every score is at least `least` times the centre's, which must be positive."""
    scores, floor = problem.scores(start), least * problem.scores(centre)
    central = problem.scores(centre)
    short = scores < floor
    share = float(np.min((central - floor)[short] / (central - scores)[short], initial=1.0))
    return centre + share * (start - centre)
