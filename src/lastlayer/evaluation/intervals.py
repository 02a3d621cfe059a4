"""Means over rows with intervals that allow for groups of rows that belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

#: The level of every interval.
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; the ends are NaN if there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    def form(self) -> dict[str, float]:
        """`{"value", "low", "high"}`."""
        return {"value": self.value, "low": self.low, "high": self.high}


def mean_estimate(
    rows: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean of one number per row, with a t interval; rows of one group (n,) count as one observation of their sum.

    Infinite rows make the mean and both ends infinite: no sample that has them has a finite mean. With infinite rows of both
    signs there is no mean.
    """
    with np.errstate(invalid="ignore"):
        mean = float(np.mean(rows))
    if not math.isfinite(mean):
        return Estimate(mean, mean, mean)
    error, freedom = standard_error(rows, groups)
    if freedom < 1:
        return Estimate(mean)
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return Estimate(mean, max(bounds[0], mean - reach), min(bounds[1], mean + reach))


def standard_error(rows: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, int]:
    """The standard error of a mean over rows, and its degrees of freedom.

    With groups √(G/(G − 1) · Σ_g (Σ_{i in g} (r_i − r̄))²) / n, G − 1 degrees of freedom (the cluster-robust error of a mean).
    """
    residuals = np.asarray(rows, dtype=np.float64) - np.mean(rows)
    if groups is not None:
        residuals = np.bincount(groups, weights=residuals)[np.unique(groups)]
    n = len(residuals)
    if n < 2:
        return math.nan, 0
    return math.sqrt(float(np.sum(residuals**2)) * n / (n - 1)) / len(rows), n - 1


def design_effect(rows: np.ndarray, groups: np.ndarray | None) -> float:
    """How many times the variance of a mean over rows is as large as if the rows were independent; at least 1.

    (standard error with groups / standard error without)², and n if all rows (n,) are one group. Copies of a row in one group
    count as one row: g copies of every row have the design effect g.

    Source: Kish 1965, Survey sampling, section 8.2, estimated by the cluster-robust error.
    """
    if groups is None:
        return 1.0
    alone, _ = standard_error(rows)
    together, freedom = standard_error(rows, groups)
    if freedom < 1:
        return float(len(rows))
    return max(1.0, (together / alone) ** 2) if alone > 0 else 1.0


def share_estimate(is_true: np.ndarray, groups: np.ndarray | None = None, *, level: float = LEVEL) -> Estimate:
    """The share of rows that are true, with Wilson's interval, which is not empty at 0 and 1.

    With groups the rows count as p(1 − p) / error² independent ones, but never as more than there are groups' rows.
    """
    n, share = float(len(is_true)), float(np.mean(is_true))
    if groups is not None:
        error, freedom = standard_error(is_true, groups)
        if freedom < 1:
            return Estimate(share)
        n_groups = freedom + 1.0
        n = min(n, share * (1 - share) / error**2) if error > 0 else n_groups
    z = float(stats.norm.ppf((1 + level) / 2))
    middle, reach = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, (middle - reach) / (1 + z * z / n)), min(1.0, (middle + reach) / (1 + z * z / n)))
