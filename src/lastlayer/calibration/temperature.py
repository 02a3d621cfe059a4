"""Temperature scaling: p = mapping(x / T), with the T > 0 that minimizes the mapping's loss.

Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, section 4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lastlayer.calibration.clear import is_clearly_below, own_losses
from lastlayer.calibration.derivatives import Derivatives, derivatives
from lastlayer.calibration.fitted import UnboundedError, unbounded
from lastlayer.calibration.score_rows import ScoreRows
from lastlayer.mappings import ProbabilityMapping

#: The longest step in log T.
LONGEST = math.log(16.0)
#: A Newton step shorter than this is the last: the error after it is about its square.
CLOSE = 1e-5
#: Rows that a first temperature is fitted to if there are many, and the step in log T that is short enough for it.
FEW, ROUGH = 2000, 1e-3
#: log T is looked for within ± this, in the unit of the scores: float32 holds e^±80.
FARTHEST = 80.0
#: Steps of Newton's method before only the longest ones look for the other end of the bracket.
MOST_PLAIN = 10


@dataclass(frozen=True)
class Temperature:
    """T, the 95 % interval of T, and whether its loss is clearly below that of equal scores."""

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
    initial: float | None = None,
) -> Temperature:
    """Minimize mean loss(β x, y) over β = 1/T > 0, for rows that `counted` keeps.

    With a temperature of other rows, `initial`, the search begins there, and whether the loss is clear is not looked at.

    Raises:
        UnboundedError: the loss has no minimum for 0 < T < ∞.
    """
    first = _of_few_rows(record, scores, labels, sample_weight) if initial is None else initial
    u, at = best_inverse(record, scores, labels, sample_weight=sample_weight, initial=first)
    beta, is_clear = math.exp(u), True
    if initial is None:
        fitted, equal = (own_losses(record, scores, labels, value) for value in (beta, 0.0))
        is_clear = is_clearly_below(fitted, equal, sample_weight, groups)
    return Temperature(1.0 / beta, *_interval(beta, at, sample_weight, groups), is_clear)


def _of_few_rows(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    sample_weight: np.ndarray | None,
) -> float:
    """A first temperature for many rows, from rows at equal distances; most steps of a search are far from its end."""
    if scores.n <= 4 * FEW:
        return 1.0
    rows = np.arange(0, scores.n, scores.n // FEW)
    weights = None if sample_weight is None else sample_weight[rows]
    try:
        u, _ = best_inverse(record, scores.take(rows), labels[rows], sample_weight=weights, close=ROUGH)
    except UnboundedError:
        return 1.0
    return math.exp(-u)


def best_inverse(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    initial: float = 1.0,
    close: float = CLOSE,
) -> tuple[float, Derivatives]:
    """(log β, the derivatives near there).

    The loss is convex in β, so its derivative changes sign once. As a function of u = log β the derivative has its root by Newton's
    method, u ← u − ℓ′(β) / (β ℓ″(β)), kept inside a bracket, whose middle is taken where a step leaves it or three steps have not
    halved it.

    Raises:
        UnboundedError: the loss has no minimum for 0 < T < ∞.
    """
    u, low, high = max(-FARTHEST, min(FARTHEST, -math.log(initial))), -FARTHEST, FARTHEST
    widths, n_steps, is_checked = [math.inf] * 3, 0, False
    while True:
        at = derivatives(record, scores, labels, math.exp(u))
        if not n_steps:
            _check_bounded(at)
        n_steps += 1
        first, second = _mean(at.first, sample_weight), _mean(at.second, sample_weight) * math.exp(u)
        if first == 0.0:
            return u, at
        low, high = (u, high) if first < 0.0 else (low, u)
        step = -first / second if second > 0.0 else math.copysign(math.inf, -first)
        if abs(step) < close or high - low < CLOSE * CLOSE:
            _check_inside(u, low, high)
            return u + max(-close, min(close, step)), at
        if u < 0.0 and low == -FARTHEST and not is_checked:
            if _rises_from_zero(record, scores, labels, sample_weight):
                raise unbounded("opposed")
            is_checked = True
        is_bracketed = low > -FARTHEST and high < FARTHEST
        if not is_bracketed and n_steps > MOST_PLAIN:
            step = math.copysign(LONGEST, step)
        u = _inside(u + max(-LONGEST, min(LONGEST, step)), low, high)
        if is_bracketed:
            widths = [*widths[1:], high - low]
            if widths[-1] > 0.5 * widths[0]:
                u, widths = (low + high) / 2.0, [math.inf] * 3


def _check_inside(u: float, low: float, high: float) -> None:
    """Raise UnboundedError at the ends of what numbers can hold."""
    if high == FARTHEST and high - u < 1.0:
        raise unbounded("separable")
    if low == -FARTHEST and u - low < 1.0:
        raise unbounded("opposed")


def _inside(u: float, low: float, high: float) -> float:
    """The step, or the middle of the bracket if it leaves it."""
    return u if low < u < high else (low + high) / 2.0


def _rises_from_zero(
    record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, sample_weight: np.ndarray | None
) -> bool:
    """Whether the loss rises already from β = 0, where all classes are equally likely: then it has no minimum for β > 0."""
    return _mean(derivatives(record, scores, labels, 0.0).first, sample_weight) >= 0.0


def _check_bounded(at: Derivatives) -> None:
    if at.is_flat.all():
        raise unbounded("constant")
    if at.is_right.all():
        raise unbounded("separable")


def _interval(
    beta: float, at: Derivatives, weights: np.ndarray | None, groups: np.ndarray | None
) -> tuple[float, float]:
    """The 95 % interval of T by the sandwich estimate: the variance of the mean derivative over the squared curvature."""
    residuals = at.first if weights is None else weights * at.first
    if groups is not None:
        residuals = np.bincount(np.unique(groups, return_inverse=True)[1], weights=residuals)
    n = len(residuals)
    curvature = float(np.sum(at.second if weights is None else weights * at.second))
    if n < 2 or curvature <= 0.0:
        return 0.0, math.inf
    error = math.sqrt(float(np.sum(residuals**2)) * n / (n - 1)) / curvature
    # The interval is symmetric in log T, which keeps it positive.
    spread = math.exp(min(float(stats.t.ppf(0.975, n - 1)) * error / beta, 700.0))
    return 1.0 / beta / spread, spread / beta


def _mean(rows: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.mean(rows) if weights is None else np.average(rows, weights=weights))
