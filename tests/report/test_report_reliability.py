"""Reliability diagrams: which mappings, where their points and bands are, and that one calibration error is told."""

from __future__ import annotations

import numpy as np
import pytest
from captions import figure, note, of_mappings, with_summary
from scipy.stats import binomtest
from synthetic_results import synthetic_results

from lastlayer.findings import Finding
from lastlayer.report.figures.reliability import wilson


def test_reliability_names_the_least_and_the_largest_error_of_the_table() -> None:
    results = synthetic_results()
    errors = of_mappings(results.summary.query("metric == 'ece'"))["mean"]
    see = figure(results, "reliability").see
    assert see.startswith(f"{errors.idxmin()} has the least calibration error, {errors.min():.4f}")
    assert f"{errors.idxmax()} has the largest, {errors.max():.4f}, and is under‑confident" in see
    assert f"softmax’s is {errors['softmax']:.4f}" in see


def test_one_calibration_error_is_shown_everywhere() -> None:
    """The pooled error of the figure's points is another number, and would contradict the table's."""
    results = synthetic_results()
    errors = of_mappings(results.summary.query("metric == 'ece'"))["mean"]
    for panel in figure(results, "reliability").panels:
        assert panel.note.split(",")[0] == f"calibration error {errors[panel.title]:.4f}"
    assert "means over the test folds" in figure(results, "reliability").how


def test_reliability_turns_with_the_data() -> None:
    results = with_summary(synthetic_results(), "hardmax", "ece", mean=0.7)
    calibration = results.calibration.copy()
    calibration.loc[calibration["mapping"] == "hardmax", "accuracy"] = 0.4
    see = figure(synthetic_results(summary=results.summary, calibration=calibration), "reliability").see
    assert "hardmax has the largest, 0.7000" in see
    assert "over‑confident: it says 1.00 on average and is right 0.40 of the time" in see


def test_reliability_shows_softmax_the_best_and_the_farthest() -> None:
    assert [panel.title for panel in figure(synthetic_results(), "reliability").panels] == [
        "softmax",
        "taylor",
        "ratio",
    ]
    advised = Finding(
        "adopt", "entmax", dict(synthetic_results().decision.facts) | {"difference": -0.1, "low": -0.2, "high": 0}
    )
    shown = figure(synthetic_results(decision=advised), "reliability")
    assert [panel.title for panel in shown.panels] == ["softmax", "entmax", "ratio"]
    assert [panel.title for panel in figure(synthetic_results(("softmax",)), "reliability").panels] == ["softmax"]


def test_two_classes_show_the_second_one() -> None:
    results = synthetic_results(n_classes=2, class_names=("no", "yes"))
    shown = figure(results, "reliability")
    assert "probability of ‘yes’" in shown.how
    panel = shown.panels[0]
    bins = results.positive.query("mapping == 'softmax'").sort_values("probability")
    frame = panel.drawing
    assert (frame.x.low, frame.words) == (0.0, ("probability", "share of rows"))
    across = (np.array([x for x, _ in frame.points]) - frame.x.start) / (frame.x.end - frame.x.start)
    np.testing.assert_allclose(across, bins["probability"], atol=1e-3)


def test_the_band_holds_what_scipy_s_wilson_interval_holds() -> None:
    for hits, n in ((0, 20), (7, 20), (120, 120), (3, 239)):
        expected = binomtest(hits, n).proportion_ci(0.9, method="wilson")
        assert wilson(hits / n, n, 0.9) == pytest.approx((expected.low, expected.high), abs=1e-12)
    panel = figure(synthetic_results(), "reliability").panels[0]
    tops, lows = (np.array([y for _, y in part]) for part in (panel.drawing.band[:15], panel.drawing.band[:14:-1]))
    points = np.array([y for _, y in panel.drawing.points])
    assert (tops <= points).all()
    assert (points <= lows).all()


def test_repeats_do_not_narrow_the_band() -> None:
    """A row is tested once per repeat; ten repeats are not ten times as many rows."""
    one, ten = (
        figure(synthetic_results(repeats=n, calibration=synthetic_results().calibration), "reliability")
        .panels[0]
        .drawing.band
        for n in (1, 10)
    )
    heights = [max(y for _, y in band) - min(y for _, y in band) for band in (one, ten)]
    assert heights[1] > heights[0]


def test_two_sided_gaps_are_called_neither() -> None:
    calibration = synthetic_results().calibration.copy()
    taylor = calibration["mapping"] == "taylor"
    calibration.loc[taylor, "confidence"] = 0.5
    calibration.loc[taylor, "accuracy"] = [0.1, 0.9] * 7 + [0.5]
    said = note(synthetic_results(calibration=calibration), "reliability", "taylor")
    assert "confident" not in said


def test_points_lie_where_the_bins_are() -> None:
    results = synthetic_results()
    panel = next(p for p in figure(results, "reliability").panels if p.title == "ratio")
    bins = results.calibration.query("mapping == 'ratio'").sort_values("confidence")
    frame = panel.drawing
    across = (np.array([x for x, _ in frame.points]) - frame.x.start) / (frame.x.end - frame.x.start)
    up = (np.array([y for _, y in frame.points]) - frame.y.start) / (frame.y.end - frame.y.start)
    low = frame.x.low
    np.testing.assert_allclose(low + across * (1 - low), bins["confidence"], atol=1e-3)
    np.testing.assert_allclose(low + up * (1 - low), bins["accuracy"], atol=1e-3)
