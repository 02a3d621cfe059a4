"""The temperature of a mapping whose loss need not be convex in 1/T: a grid in log T, then Brent's method between its points."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from lastlayer.calibration.fitted import unbounded
from lastlayer.calibration.label_losses import losses_of_labels
from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.calibration.temperature import Temperature
from lastlayer.mappings import ProbabilityMapping

#: log T is looked for within these bounds around 0, at this distance first.
REACH, STEP = 9.0, 0.5
#: Relative change of T for the derivatives of each row's loss.
NEAR = 1e-3


def search_temperature(
    record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, *, sample_weight: np.ndarray | None = None
) -> Temperature:
    """Minimize the mean log loss of mapping(x / T) over log T in [−9, 9].

    Raises:
        UnboundedError: the least loss is at an end.
    """

    def loss(u: float) -> float:
        return float(np.average(log_losses(record, scores, labels, u), weights=sample_weight))

    grid = np.arange(-REACH, REACH + STEP / 2, STEP)
    values = np.array([loss(u) for u in grid])
    best = int(np.nanargmin(values))
    if np.ptp(values[np.isfinite(values)]) == 0.0:
        raise unbounded("constant")
    if best in (0, len(grid) - 1):
        raise unbounded("separable" if best == 0 else "opposed")
    found = optimize.minimize_scalar(
        loss, bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-8}
    )
    return _with_interval(record, scores, labels, float(found.x), sample_weight)


def log_losses(record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, u: float) -> np.ndarray:
    """−log p of each row's label under mapping(x·e^(−u)), in float64."""
    losses = np.empty(scores.n)

    def work(rows: slice) -> None:
        block = scores[rows] * scores.dtype.type(math.exp(-u))
        losses[rows] = losses_of_labels(record, block, labels[rows])

    for_each_block(scores.n, scores.n_classes, work)
    return losses


def _with_interval(
    record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, u: float, weights: np.ndarray | None
) -> Temperature:
    """The sandwich interval in log T, from differences of each row's loss."""
    below, at, above = (log_losses(record, scores, labels, u + step) for step in (-NEAR, 0.0, NEAR))
    scale = np.ones(len(at)) if weights is None else weights
    first = scale * (above - below) / (2 * NEAR)
    curvature = float(np.sum(scale * (above - 2 * at + below))) / NEAR**2
    n = len(at)
    if n < 2 or not curvature > 0.0:
        return Temperature(math.exp(u), 0.0, math.inf, False)
    error = math.sqrt(float(np.sum((first - first.mean()) ** 2)) * n / (n - 1)) / curvature
    reach = min(float(stats.t.ppf(0.975, n - 1)) * error, 700.0)
    return Temperature(math.exp(u), math.exp(u - reach), math.exp(u + reach), reach < 1.0)
