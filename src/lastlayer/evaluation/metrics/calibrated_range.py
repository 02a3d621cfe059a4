"""What a calibrated model shows: where a calibration error lies if the labels are drawn from the probabilities."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from lastlayer.evaluation.intervals import LEVEL, Estimate, standard_error

#: Small sets are drawn more often, up to this number of times, as long as they cost no more labels than `MOST_LABELS`.
MOST_DRAWS = 1000
MOST_LABELS = 2_000_000
#: The share of draws inside the range.
SHARE = 0.98


def n_draws(n: int, least: int) -> int:
    """How often labels are drawn for n rows: at least `least` times.

    >>> n_draws(2000, 200), n_draws(50_000, 200)
    (1000, 200)
    """
    return max(least, min(MOST_DRAWS, MOST_LABELS // max(n, 1)))


def calibrated_range(values: np.ndarray, share: float = SHARE) -> tuple[float, float]:
    """The range that holds this share of calibrated models' values, from drawn values (draws,).

    The ends are the quantiles i / (draws + 1) of the sorted values, so that the next value is inside with this probability.
    """
    tail = (1 - share) / 2
    low, high = np.quantile(values, [tail, 1 - tail], method="weibull")
    return float(low), float(high)


def error_range(drawn: np.ndarray, design_effect: float, groups: np.ndarray | None) -> tuple[float, float]:
    """The range of a calibrated model's error, from errors at independently drawn labels (draws,).

    A design effect d makes every gap √d times as large, and the debiased error with it. Nothing says how the rows of
    a group (n,) depend on each other beyond it: with groups no error is too small, and the range begins at 0. Its upper end is
    higher by the quantile of t over that of the normal law, because few groups give an uncertain design effect.
    """
    low, high = calibrated_range(drawn)
    if groups is None:
        return low, high
    freedom = len(np.unique(groups)) - 1
    if freedom < 1:
        return 0.0, 1.0
    quantile = (1 + SHARE) / 2
    few = float(stats.t.ppf(quantile, freedom) / stats.norm.ppf(quantile))
    return 0.0, min(1.0, few * math.sqrt(design_effect) * high)


def error_interval(
    means: tuple[float, float],
    influence: np.ndarray,
    groups: np.ndarray | None,
    *,
    value: float,
    if_calibrated: tuple[float, float],
) -> Estimate:
    """The 95 % interval of a calibration error from the influence of each row on it (n,), by the delta method.

    `means` are the least and the largest number that estimate the error without its bias; the interval reaches beyond both. The
    low end is 0 where a calibrated model may show this value: an absolute value is positive even if the true error is 0, and the
    delta method does not know it.
    """
    error, freedom = standard_error(influence, groups)
    if freedom < 1:
        return Estimate(value)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    low = 0.0 if value <= if_calibrated[1] else max(0.0, means[0] - reach)
    return Estimate(value, low, min(1.0, means[1] + reach))
