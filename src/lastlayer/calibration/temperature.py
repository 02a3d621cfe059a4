"""Temperature scaling: p = mapping(x / T), with the T > 0 that minimizes the mapping's loss.

Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lastlayer.calibration.derivatives import Derivatives, derivatives
from lastlayer.calibration.fitted import unbounded
from lastlayer.calibration.score_rows import ScoreRows
from lastlayer.mappings import ProbabilityMapping

#: The longest step in log T.
LONGEST = math.log(16.0)
#: A Newton step shorter than this is the last: the error after it is about its square.
CLOSE = 1e-5
MOST_STEPS = 200


@dataclass(frozen=True)
class Temperature:
    """T, the 95 % interval of T, and whether that of 1/T excludes 0."""

    value: float
    low: float
    high: float
    is_clear: bool


def fit_temperature(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    initial: float = 1.0,
    close: float = CLOSE,
) -> Temperature:
    """Minimize mean loss(β x, y) over β = 1/T > 0 by Newton's method in log β, kept inside a bracket.

    The loss is convex in β, so its derivative changes sign once, and a step that leaves the bracket is replaced by its middle.

    Raises:
        UnboundedError: the loss has no minimum for 0 < T < ∞.
    """
    u, low, high, is_bounded = -math.log(initial), -math.inf, math.inf, False
    for _ in range(MOST_STEPS):
        at = derivatives(record, scores, labels, math.exp(u))
        first, second = _mean(at.first, sample_weight), _mean(at.second, sample_weight)
        if low == -math.inf and high == math.inf:
            _check_bounded(at, sample_weight)
        if first == 0.0:
            return _temperature(u, at, sample_weight, groups)
        low, high = (u, high) if first < 0.0 else (low, u)
        step = -first / (second * math.exp(u)) if second > 0.0 else math.copysign(math.inf, -first)
        if abs(step) < close:
            return _temperature(u + step, at, sample_weight, groups)
        if u < 0.0 and low == -math.inf and not is_bounded:
            if _rises_from_zero(record, scores, labels, sample_weight):
                raise unbounded("opposed")
            is_bounded = True
        u = _inside(u + max(-LONGEST, min(LONGEST, step)), low, high)
        if high - low < CLOSE * CLOSE:
            return _temperature(u, at, sample_weight, groups)
    raise AssertionError("Newton's method with a bracket did not end")


def _inside(u: float, low: float, high: float) -> float:
    """The step, or the middle of the bracket if it leaves it."""
    return u if low < u < high else (low + high) / 2.0


def _rises_from_zero(
    record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, sample_weight: np.ndarray | None
) -> bool:
    """Whether the loss rises already from β = 0, where all classes are equally likely: then it has no minimum for β > 0."""
    return _mean(derivatives(record, scores, labels, 0.0).first, sample_weight) >= 0.0


def _check_bounded(at: Derivatives, weights: np.ndarray | None) -> None:
    counts = at.has_label if weights is None else at.has_label & (weights > 0)
    if at.is_flat[counts].all():
        raise unbounded("constant")
    if at.is_right[counts].all():
        raise unbounded("separable")


def _temperature(u: float, at: Derivatives, sample_weight: np.ndarray | None, groups: np.ndarray | None) -> Temperature:
    """T = e^(−u) with the interval of the sandwich estimate: the variance of the mean derivative over the squared curvature."""
    beta = math.exp(u)
    counted = at.has_label if sample_weight is None else at.has_label & (sample_weight > 0)
    weights = np.ones(len(at.first)) if sample_weight is None else sample_weight
    residuals = (weights * at.first)[counted]
    if groups is not None:
        residuals = np.bincount(groups[counted], weights=residuals)
    n = int(np.count_nonzero(counted)) if groups is None else len(np.unique(groups[counted]))
    curvature = float(np.sum((weights * at.second)[counted]))
    if n < 2 or curvature <= 0.0:
        return Temperature(1.0 / beta, 0.0, math.inf, False)
    error = math.sqrt(float(np.sum(residuals**2)) * n / (n - 1)) / curvature
    reach = float(stats.t.ppf(0.975, n - 1)) * error / beta
    # The interval is symmetric in log T, which keeps it positive.
    spread = math.exp(min(reach, 700.0))
    return Temperature(1.0 / beta, 1.0 / beta / spread, spread / beta, reach < 1.0)


def _mean(rows: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.mean(rows) if weights is None else np.average(rows, weights=weights))
