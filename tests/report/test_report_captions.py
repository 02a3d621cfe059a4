"""Captions are computed: each claim is checked against the data by another way than the code's, and moves with the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_results import synthetic_results

from lastlayer.report.figures import Figure, build_figures
from lastlayer.report.reading import read
from lastlayer.study.storage.results import StudyResults


def figure(results: StudyResults, key: str) -> Figure:
    return next(figure for figure in build_figures(read(results)) if figure.key == key)


def note(results: StudyResults, key: str, title: str) -> str:
    return next(panel.note for panel in figure(results, key).panels if panel.title.startswith(title))


def with_summary(results: StudyResults, mapping: str, metric: str, **values: float) -> StudyResults:
    summary = results.summary.copy()
    chosen = (summary["mapping"] == mapping) & (summary["metric"] == metric)
    summary.loc[chosen, list(values)] = list(values.values())
    return synthetic_results(summary=summary)


def test_levels_name_the_best_and_the_worst() -> None:
    results = synthetic_results()
    for metric, title, best in (("brier", "Brier", "idxmin"), ("accuracy", "Accuracy", "idxmax")):
        means = results.summary[results.summary["metric"] == metric].set_index("mapping")["mean"]
        worst = "idxmax" if best == "idxmin" else "idxmin"
        said = note(results, "levels", title)
        assert f"({getattr(means, best)()})" in said.split("worst")[0]
        assert f"({getattr(means, worst)()})" in said.split("worst")[1]


def test_levels_follow_the_data() -> None:
    results = with_summary(synthetic_results(), "hardmax", "brier", mean=0.001, low=0.0, high=0.002)
    assert "Best 0.001 (hardmax)" in note(results, "levels", "Brier")


def test_levels_count_the_intervals_that_reach_softmax() -> None:
    results = synthetic_results()
    brier = results.summary.query("metric == 'brier'").set_index("mapping")
    softmax = brier.loc["softmax", "mean"]
    others = brier.drop("softmax")
    expected = int(((others["low"] <= softmax) & (softmax <= others["high"])).sum())
    assert f"{expected} of the 9 other intervals reach softmax’s mean." in figure(results, "levels").see


def test_an_interval_below_softmax_does_not_reach_it() -> None:
    results = synthetic_results()
    before = figure(results, "levels").see
    after = figure(with_summary(results, "taylor", "brier", mean=0.01, low=0.005, high=0.015), "levels").see
    assert before.endswith("6 of the 9 other intervals reach softmax’s mean.")
    assert after.endswith("5 of the 9 other intervals reach softmax’s mean.")


def test_infinite_losses_are_said_and_drawn_as_arrows() -> None:
    results = synthetic_results()
    assert "infinite for entmax, sparsemax and hardmax" in note(results, "levels", "Log loss")
    panel = next(p for p in figure(results, "levels").panels if p.title.startswith("Log loss"))
    arrows = {row.name: row.arrow for row in panel.drawing.rows}
    assert arrows["sparsemax"] == 1
    assert arrows["softmax"] == 0


def test_every_value_off_the_scale_is_named() -> None:
    shown = figure(with_summary(synthetic_results(), "taylor", "accuracy", mean=0.1, low=0.05, high=0.15), "levels")
    panel = next(p for p in shown.panels if p.title.startswith("Accuracy"))
    assert [row.name for row in panel.drawing.rows if row.arrow == -1] == ["taylor"]
    assert "off the scale" in shown.how
    assert "taylor" in shown.how


def test_differences_count_and_split_by_direction() -> None:
    results = synthetic_results()
    lines = results.comparisons.query("metric == 'accuracy' and verdict == 'differs'")
    said = note(results, "differences", "Accuracy")
    assert said.startswith(f"{len(lines)} of 9")
    better, _, worse = said.partition("worse:")
    for line in lines.itertuples():
        assert line.mapping in (better if line.difference > 0 else worse)
        assert line.mapping not in (worse if line.difference > 0 else better)


def test_comparisons_with_another_mapping_are_not_shown_as_with_softmax() -> None:
    comparisons = synthetic_results().comparisons
    others = comparisons.assign(versus="ratio", verdict="differs", difference=9.0)
    both = synthetic_results(comparisons=pd.concat([comparisons, others]))
    assert figure(both, "differences").see == figure(synthetic_results(), "differences").see


def test_what_cannot_be_compared_is_named() -> None:
    assert "not comparable: entmax, sparsemax and hardmax." in note(synthetic_results(), "differences", "Log loss")
    assert "not comparable" not in note(synthetic_results(), "differences", "Brier")


def test_no_difference_is_said_so() -> None:
    comparisons = synthetic_results().comparisons.assign(verdict="cannot be told apart")
    assert "none of 9 found to differ" in figure(synthetic_results(comparisons=comparisons), "differences").see


def test_the_margin_is_drawn_where_it_is() -> None:
    panel = figure(synthetic_results(), "differences").panels[0]
    zero, (left, right) = panel.drawing.reference, panel.drawing.band
    places = {text: x for x, text in panel.drawing.ticks}
    unit = (places["0.05"] - places["0.00"]) / 5
    assert (zero - left, right - zero) == pytest.approx((unit, unit), rel=1e-2)


def test_reliability_names_the_nearest_and_the_farthest() -> None:
    results = synthetic_results()
    gaps = {
        mapping: np.average(np.abs(bins["accuracy"] - bins["confidence"]), weights=bins["n"])
        for mapping, bins in results.calibration.groupby("mapping")
    }
    see = figure(results, "reliability").see
    nearest, farthest = min(gaps, key=gaps.__getitem__), max(gaps, key=gaps.__getitem__)
    assert see.startswith(f"{nearest} is nearest")
    assert f"{farthest} is farthest, {gaps[farthest]:.3f} and under‑confident" in see
    assert f"softmax’s gap is {gaps['softmax']:.3f}" in see


def test_reliability_turns_with_the_data() -> None:
    calibration = synthetic_results().calibration.copy()
    hardmax = calibration["mapping"] == "hardmax"
    calibration.loc[hardmax, "accuracy"] = 0.4
    results = synthetic_results(calibration=calibration)
    assert "hardmax is farthest" in figure(results, "reliability").see
    assert "over‑confident: it says 1.00 on average and is right 0.40 of the time" in figure(results, "reliability").see


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


def test_histogram_shares() -> None:
    results = synthetic_results()
    counts = results.histogram.pivot_table(index="mapping", columns="left", values="count", sort=False)
    last = counts.iloc[:, -1] / counts.sum(axis=1)
    see = figure(results, "histograms").see.replace("\N{NARROW NO-BREAK SPACE}", "")
    assert see.startswith(f"{last.idxmax()} gives {100 * last.max():.1f}%")
    assert last.idxmin() in see
    assert f"softmax {100 * last['softmax']:.1f}%" in see


def test_histogram_bars_have_the_heights_of_the_counts() -> None:
    results = synthetic_results()
    panel = next(p for p in figure(results, "histograms").panels if p.title == "softmax")
    counts = results.histogram.query("mapping == 'softmax' and count > 0")["count"].to_numpy(float)
    heights = np.array([height for _, _, _, height in panel.drawing.bars])
    tall = heights > 1
    ratio = heights[tall] / counts[tall]
    assert np.ptp(ratio) / ratio.mean() < 0.05


def test_a_column_higher_than_its_panel_says_so() -> None:
    histogram = synthetic_results().histogram.copy()
    hardmax = histogram["mapping"] == "hardmax"
    histogram.loc[hardmax, "count"] = [0] * 19 + [3594]
    shown = figure(synthetic_results(histogram=histogram), "histograms")
    assert {panel.title: [text for _, text in panel.drawing.cut] for panel in shown.panels if panel.drawing.cut} == {
        "hardmax": ["100\N{NARROW NO-BREAK SPACE}%"]
    }
    assert "share written next to it" in shown.how
    assert shown.panels[0].drawing.y.high == 0.4
    assert "share written next to it" not in figure(synthetic_results(), "histograms").how


def test_sharpness_names_the_extremes_and_a_true_pair() -> None:
    results = synthetic_results()
    means = results.fits.groupby("mapping")[["score_scale", "sharpness"]].mean()
    see = figure(results, "sharpness").see
    assert f"narrowest under {means['score_scale'].idxmin()}" in see
    assert f"widest under {means['score_scale'].idxmax()}" in see
    assert f"{means['sharpness'].idxmax()} is the sharpest" in see
    wide, narrow = see.split(". ")[-1].split(" are about")[0].split(" and ")
    assert abs(means.loc[wide, "sharpness"] - means.loc[narrow, "sharpness"]) <= 0.02
    factor = means.loc[wide, "score_scale"] / means.loc[narrow, "score_scale"]
    assert f"{factor:.3g} times as wide" in see


def test_no_pair_is_claimed_where_there_is_none() -> None:
    fits = synthetic_results(("softmax", "ratio")).fits
    assert "times as wide" not in figure(synthetic_results(("softmax", "ratio"), fits=fits), "sharpness").see


def test_missing_values_are_never_called_zero_or_nan() -> None:
    results = synthetic_results(("softmax", "taylor"))
    fits = results.fits.assign(score_scale=np.nan, sharpness=np.nan)
    empty = synthetic_results(
        ("softmax", "taylor"),
        fits=fits,
        calibration=results.calibration.iloc[:0],
        histogram=pd.DataFrame({"mapping": ["softmax"], "left": [0.0], "right": [0.05], "count": [0]}),
    )
    for shown in build_figures(read(empty)):
        assert "nan" not in f"{shown.see} {shown.how}".lower()
    assert figure(empty, "sharpness").see.startswith("No mapping gave probabilities")
