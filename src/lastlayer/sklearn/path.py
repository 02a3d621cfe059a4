"""Fits along a path of strengths C on the same rows, each started from the one before.

The rows are centred, rotated and reduced once: the directions do not depend on C, only the penalty does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import lastlayer as ll
from lastlayer.sklearn.fitting import prepare, solve
from lastlayer.sklearn.problem import Floats, join_theta, linear_problem, split_theta


class PathPoint(NamedTuple):
    """The fit at one strength."""

    C: float
    #: (K, d) and (K,), as `LastLayerClassifier` has them: scores are X @ coef.T + intercept.
    coef: Floats
    intercept: Floats


def fit_path(
    mapping: ll.ProbabilityMapping,
    X: Floats,
    y: NDArray[np.intp],
    strengths: Sequence[float],
    *,
    seed: int,
    tol: float,
    max_iter: int,
    start: PathPoint | None = None,
) -> Iterator[PathPoint]:
    """The fits of `LastLayerClassifier(mapping, C=C, n_restarts=1)` for each C, one at a time, so that the caller can stop.

    X (n, d) is dense, C-contiguous float64 and finite; y (n,) holds labels 0 … K − 1, each at least once. Nothing is checked.
    From small C to large is the cheap direction. Fits that do not reach `tol` in `max_iter` iterations do not warn. No fit is
    random, so `seed` changes nothing.

    The first fit begins at `start`, a fit with the same features and classes; where its shape does not fit, at the default start.

    Raises:
        ValueError: as `LastLayerClassifier.fit`, if a fit has no finite result.
    """
    # Columns are dropped only if they are too small to matter even under the weakest penalty.
    weakest = max(strengths)
    problem = linear_problem(X, y, np.ones(len(y)), int(y.max()) + 1, C=weakest, fit_intercept=True)
    inner = prepare(problem, mapping, is_path=True)
    theta = None if start is None else join_theta(problem, start.coef.T, start.intercept)
    theta = None if theta is None else inner.enter(theta)
    for C in strengths:
        here = inner.with_penalty(weakest / C)
        solution, _ = solve(here, mapping, first=theta, others=[], tol=tol, max_iter=max_iter)
        theta = solution.theta
        weights, intercept = split_theta(problem, here.leave(theta))
        yield PathPoint(C, np.ascontiguousarray(weights.T), intercept)
