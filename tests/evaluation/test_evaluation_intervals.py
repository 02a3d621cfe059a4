"""Intervals of means: those of scipy and statsmodels, wider for groups, never empty at the ends of a share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lastlayer.evaluation.intervals import design_effect, mean_estimate, share_estimate, standard_error


def test_the_interval_of_a_mean_is_that_of_t() -> None:
    rows = np.random.default_rng(0).exponential(size=40)
    low, high = stats.t.interval(0.95, 39, rows.mean(), stats.sem(rows))
    found = mean_estimate(rows)
    assert (found.low, found.value, found.high) == pytest.approx((low, rows.mean(), high))


def test_equal_groups_are_their_means() -> None:
    rows = np.random.default_rng(1).normal(size=(25, 8)) + np.random.default_rng(2).normal(size=(25, 1))
    grouped = mean_estimate(rows.ravel(), np.repeat(np.arange(25), 8))
    of_means = mean_estimate(rows.mean(axis=1))
    assert (grouped.low, grouped.high) == pytest.approx((of_means.low, of_means.high))


def test_intervals_by_group_cover_where_plain_ones_do_not() -> None:
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 20)
    hits = {"plain": 0, "grouped": 0}
    for _ in range(300):
        rows = random.normal(size=30)[groups] + random.normal(size=600)
        for name, given in (("plain", None), ("grouped", groups)):
            found = mean_estimate(rows, given)
            hits[name] += found.low <= 0 <= found.high
    assert 270 <= hits["grouped"] <= 297
    assert hits["plain"] < 200


def test_infinite_and_single_rows() -> None:
    assert mean_estimate(np.array([1.0, np.inf])).form() == {"value": math.inf, "low": math.inf, "high": math.inf}
    assert math.isnan(mean_estimate(np.array([np.inf, -np.inf])).value)
    alone = mean_estimate(np.array([0.5]))
    assert alone.value == 0.5
    assert math.isnan(alone.low)
    assert math.isnan(mean_estimate(np.array([0.5, 0.7]), np.zeros(2, dtype=int)).low), "one group is one observation"
    assert mean_estimate(np.array([0.0, 0.1, 0.0]), bounds=(0, 1)).low == 0.0
    assert standard_error(np.array([1.0, 3.0])) == (1.0, 1)


@pytest.mark.parametrize(("right", "rows"), [(0, 10), (10, 10), (37, 100), (999, 1000)])
def test_the_interval_of_a_share_is_wilsons(right: int, rows: int) -> None:
    found = share_estimate(np.arange(rows) < right)
    expected = stats.binomtest(right, rows).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.low < found.high


def test_copies_of_a_row_are_no_evidence() -> None:
    right = np.repeat(np.arange(50) < 30, 20)
    grouped, once = share_estimate(right, np.repeat(np.arange(50), 20)), share_estimate(np.arange(50) < 30)
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.01)
    perfect = share_estimate(np.ones(1000, dtype=bool), np.repeat(np.arange(50), 20))
    assert perfect.low == pytest.approx(share_estimate(np.ones(50, dtype=bool)).low)


def test_the_design_effect_counts_copies_and_is_kishs_for_equal_groups() -> None:
    random = np.random.default_rng(5)
    assert design_effect(np.repeat(random.normal(size=400), 6), np.repeat(np.arange(400), 6)) == pytest.approx(
        6, rel=0.01
    )
    groups = np.repeat(np.arange(2000), 10)
    rows = random.normal(size=2000)[groups] + random.normal(size=20_000)
    # Kish: 1 + (rows of a group − 1) · correlation within groups, which is a half here.
    assert design_effect(rows, groups) == pytest.approx(1 + 9 * 0.5, rel=0.08)


def test_a_design_effect_is_never_below_one() -> None:
    opposed = np.tile([1.0, -1.0], 50)
    assert design_effect(opposed, np.repeat(np.arange(50), 2)) == 1.0
    assert design_effect(opposed, None) == 1.0
    assert design_effect(np.ones(4), np.array([0, 0, 1, 1])) == 1.0
    assert design_effect(opposed, np.zeros(100, dtype=int)) == 100.0
