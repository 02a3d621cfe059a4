"""Intervals and paired tests from repeated cross-validation, whose fits share training rows.

Sources: Nadeau & Bengio 2003, Inference for the generalization error; Bouckaert & Frank 2004, Evaluating the replicability of
significance tests for comparing learning algorithms; Holm 1979, A simple sequentially rejective multiple test procedure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

#: How often a difference of the detectable size is found.
POWER = 0.8
#: Differences of metrics below this are rounding errors.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Splits:
    """What the variance of a mean over splits depends on, apart from the values."""

    #: Fits of each mapping, folds × repeats.
    n_fits: int
    #: Test rows over training rows, mean over the splits.
    test_share: float
    #: Test rows of a split, mean over the splits.
    n_test: float

    @property
    def freedom(self) -> int:
        """Degrees of freedom, kr − 1."""
        return self.n_fits - 1


@dataclass(frozen=True)
class Estimate:
    """A mean over splits with its interval; its ends are NaN if there is none."""

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class PairedTest:
    """A mean difference with its interval, the two-sided p-value of no difference, and its standard error."""

    difference: Estimate
    p: float
    standard_error: float


def standard_error(values: np.ndarray, splits: Splits, *, counts_rows: bool = False) -> float:
    """√(s² · (1/(kr) + n_test/n_train)) of kr values.

    Equal values have s = 0 and would make anything certain. Where a metric counts rows, as accuracy does, a split knows it
    to one test row at best, so s² is at least that of rounding to it, (1/n_test)²/12. So it is where the values of another
    metric are all equal but not zero, which happens where probabilities are 0 and 1 alone.
    """
    variance, rounding = float(np.var(values, ddof=1)), (1.0 / splits.n_test) ** 2 / 12.0
    is_constant = variance <= ROUNDING**2
    is_zero = is_constant and float(np.max(np.abs(values))) <= ROUNDING
    if counts_rows or (is_constant and not is_zero):
        variance = max(variance, rounding)
    elif is_zero:
        variance = 0.0
    return math.sqrt(variance * (1.0 / splits.n_fits + splits.test_share))


def estimate(
    values: np.ndarray, splits: Splits, level: float, bounds: tuple[float, float], *, counts_rows: bool = False
) -> Estimate:
    """Mean and approximate interval of a metric over the splits, clipped to the metric's range; no interval unless finite."""
    mean = float(np.mean(values))
    if not math.isfinite(mean):
        return Estimate(mean)
    return _interval(mean, standard_error(values, splits, counts_rows=counts_rows), splits, level, bounds)


def paired_test(
    differences: np.ndarray, splits: Splits, level: float, bounds: tuple[float, float], *, counts_rows: bool = False
) -> PairedTest:
    """The corrected repeated k-fold t of finite differences, one per split.

    t = mean / √(s² · (1/(kr) + n_test/n_train)), kr − 1 degrees of freedom.
    """
    mean, error = float(np.mean(differences)), standard_error(differences, splits, counts_rows=counts_rows)
    p = 1.0 if error == 0.0 else float(2.0 * stats.t.sf(abs(mean) / error, splits.freedom))
    return PairedTest(_interval(mean, error, splits, level, bounds), p, error)


def _interval(mean: float, error: float, splits: Splits, level: float, bounds: tuple[float, float]) -> Estimate:
    reach = float(stats.t.ppf((1.0 + level) / 2.0, splits.freedom)) * error
    return Estimate(mean, max(bounds[0], mean - reach), min(bounds[1], mean + reach))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: the i-th smallest of m times m − i, made increasing, at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def holm_levels(p_values: Sequence[float], level: float) -> list[float]:
    """The level of each interval at which it excludes zero exactly where Holm's procedure rejects.

    The i-th smallest p-value (from 0) of m is compared with (1 − level)/(m − i) as long as all smaller ones were rejected, and the
    others with the bound at which the first one was kept.

    >>> [round(level, 4) for level in holm_levels([0.001, 0.5, 0.04], 0.95)]
    [0.9833, 0.975, 0.975]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    bounds = (1.0 - level) / (len(p) - np.arange(len(p)))
    kept = np.flatnonzero(p[order] >= bounds)
    if kept.size:
        bounds[kept[0] :] = bounds[kept[0]]
    levels = np.empty_like(p)
    levels[order] = 1.0 - bounds
    return [float(value) for value in levels]


def interval_at(test: PairedTest, splits: Splits, level: float, bounds: tuple[float, float]) -> Estimate:
    """The difference of a test with its interval at another level."""
    return _interval(test.difference.mean, test.standard_error, splits, level, bounds)


def smallest_detectable(error: float, splits: Splits, level: float, n_comparisons: int, largest: float) -> float:
    """The true difference that would be found four times in five, even as the first of Holm's steps over all comparisons.

    (t quantile at (1 − level)/(2m) + t quantile of the power) · standard error, at most the largest difference there can be.
    """
    quantiles = stats.t.isf([(1.0 - level) / (2 * n_comparisons), 1.0 - POWER], splits.freedom)
    return min(float(np.sum(quantiles)) * error, largest)
