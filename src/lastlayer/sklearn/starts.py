"""Where a fit begins: the plain start, the previous fit, or a seeded random place for a loss with several minima."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.utils import check_random_state

import lastlayer as ll
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.problem import Floats, LinearProblem

#: On digits, iris, wine and breast cancer 0.1 led back to the minimum of the plain start, 1 to far worse ones at twice the
#: iterations; 0.3 sometimes to a better one.
SPREAD = 0.3


def plain_start(problem: LinearProblem, mapping: ll.ProbabilityMapping) -> Floats:
    """W = 0 and the intercepts that the record names for the class frequencies; inside the domain."""
    theta = np.zeros((problem.penalty.size, problem.classes))
    if problem.has_intercept:
        theta[-1] = mapping.linear.start_intercept(problem.frequencies)
    return theta


def random_starts(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, random_state: int | np.random.RandomState | None
) -> Iterator[Floats]:
    """The plain start moved so that the scores spread by `SPREAD` of their own size: weights in units of the features."""
    random = check_random_state(random_state)
    base = plain_start(problem, mapping)
    size = SPREAD * (float(np.sqrt(np.mean(problem.scores(base) ** 2))) or 1.0)
    features = problem.gram_diagonals(problem.row_weight[:, None])
    unit = 1.0 / np.sqrt(np.maximum(features, np.finfo(float).tiny) * len(features))
    constraint = INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint]
    while True:
        theta = base + size * np.where(features > 0, unit, 0.0) * random.standard_normal(base.shape)
        if problem.has_intercept:
            theta[-1] = constraint.impose(theta[-1])
        yield theta


def inside(problem: LinearProblem, start: Floats, centre: Floats, least: float = 0.2) -> Floats:
    """`start` drawn towards `centre` until every score is at least `least` times the centre's, which must be positive."""
    scores, floor = problem.scores(start), least * problem.scores(centre)
    central = problem.scores(centre)
    short = scores < floor
    share = float(np.min((central - floor)[short] / (central - scores)[short], initial=1.0))
    return centre + share * (start - centre)
