"""The temperature of a mapping whose loss need not be convex in 1/T: a grid in log T, then Brent's method between its points."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from lastlayer.calibration.clear import is_clearly_below, scaled
from lastlayer.calibration.fitted import UnboundedError, unbounded
from lastlayer.calibration.label_losses import losses_of_labels
from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.calibration.temperature import Temperature
from lastlayer.mappings import ProbabilityMapping

#: log T is looked for within these bounds around 0, at this distance first.
REACH, STEP = 9.0, 0.5
#: Relative change of T for the derivatives of each row's loss.
NEAR = 1e-3
#: Relative differences of mean losses that are nothing but rounding.
ROUNDING = 1e-12


def search_temperature(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Temperature:
    """Minimize the mean log loss of mapping(x / T) over log T in [−9, 9], for rows whose loss is finite at some T.

    Raises:
        UnboundedError: the least loss is at an end, or none is finite.
    """
    grid = np.arange(-REACH, REACH + STEP / 2, STEP)
    weights = np.ones(scores.n) if sample_weight is None else sample_weight
    can_fit = np.zeros(scores.n, dtype=bool)
    for u in grid:
        can_fit |= np.isfinite(log_losses(record, scores, labels, u))
        if can_fit.all():
            break
    if not can_fit.all():
        rows = np.flatnonzero(can_fit)
        scores, labels, weights = scores.take(rows), labels[rows], weights[rows]
        groups = None if groups is None else groups[rows]

    def loss(u: float) -> float:
        return float(np.average(log_losses(record, scores, labels, u), weights=weights))

    values = np.array([loss(u) for u in grid]) if len(labels) else np.full(len(grid), np.inf)
    best = int(np.argmin(values))
    if not math.isfinite(values[best]):
        raise UnboundedError(
            "opposed",
            f"The log loss of {record.label} is infinite at every temperature, since it gives some labels a probability of 0; fit a "
            "mapping whose probabilities are positive.",
        )
    if np.ptp(values[np.isfinite(values)]) <= ROUNDING * abs(values[best]):
        raise unbounded("constant")
    if best in (0, len(grid) - 1):
        raise unbounded("separable" if best == 0 else "opposed")
    found = optimize.minimize_scalar(
        loss, bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-8}
    )
    u = float(found.x) if found.fun <= values[best] else float(grid[best])
    fitted, equal = (log_losses(record, scores, labels, at) for at in (u, math.inf))
    is_clear = is_clearly_below(fitted, equal, weights, groups)
    return Temperature(math.exp(u), *_interval(record, scores, labels, u, weights, groups), is_clear)


def log_losses(record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, u: float) -> np.ndarray:
    """−log p of each row's label under mapping(x·e^(−u)), in float64; those of equal scores at u = ∞."""
    losses = np.empty(scores.n)

    def work(rows: slice) -> None:
        block = scaled(scores[rows], math.exp(-u))
        losses[rows] = losses_of_labels(record, block, labels[rows])

    for_each_block(scores.n, scores.n_classes, work)
    return losses


def _interval(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    u: float,
    weights: np.ndarray,
    groups: np.ndarray | None,
) -> tuple[float, float]:
    """The sandwich interval of T, symmetric in log T, from differences of each row's loss."""
    below, at, above = (log_losses(record, scores, labels, u + step) for step in (-NEAR, 0.0, NEAR))
    known = np.isfinite(below) & np.isfinite(at) & np.isfinite(above)
    below, at, above, weights = below[known], at[known], above[known], weights[known]
    first = weights * (above - below) / (2 * NEAR)
    if groups is not None:
        first = np.bincount(np.unique(groups[known], return_inverse=True)[1], weights=first)
    curvature = float(np.sum(weights * (above - 2 * at + below))) / NEAR**2
    n = len(first)
    if n < 2 or not curvature > 0.0:
        return 0.0, math.inf
    error = math.sqrt(float(np.sum((first - first.mean()) ** 2)) * n / (n - 1)) / curvature
    reach = min(float(stats.t.ppf(0.975, n - 1)) * error, 700.0)
    return math.exp(u - reach), math.exp(u + reach)
