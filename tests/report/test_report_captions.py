"""Captions are computed: each claim is checked against the data by another way than the code's, and moves with the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from synthetic_results import synthetic_results

from lastlayer.findings import Finding
from lastlayer.report.figures import Figure, build_figures
from lastlayer.report.figures.reliability import wilson
from lastlayer.report.reading import read
from lastlayer.study.schema import BASELINES
from lastlayer.study.storage.results import StudyResults


def figure(results: StudyResults, key: str) -> Figure:
    return next(figure for figure in build_figures(read(results)) if figure.key == key)


def note(results: StudyResults, key: str, title: str) -> str:
    return next(panel.note for panel in figure(results, key).panels if panel.title.startswith(title))


def of_mappings(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of the mappings, by label; figures do not show the baselines."""
    return frame[~frame["mapping"].isin(BASELINES)].set_index("mapping")


def with_summary(results: StudyResults, mapping: str, metric: str, **values: float) -> StudyResults:
    summary = results.summary.copy()
    chosen = (summary["mapping"] == mapping) & (summary["metric"] == metric)
    summary.loc[chosen, list(values)] = list(values.values())
    return synthetic_results(summary=summary)


def test_levels_name_the_best_and_the_worst() -> None:
    results = synthetic_results()
    for metric, title, best in (("brier", "Brier", "idxmin"), ("accuracy", "Accuracy", "idxmax")):
        means = of_mappings(results.summary[results.summary["metric"] == metric])["mean"]
        worst = "idxmax" if best == "idxmin" else "idxmin"
        said = note(results, "levels", title)
        assert f"({getattr(means, best)()})" in said.split("worst")[0]
        assert f"({getattr(means, worst)()})" in said.split("worst")[1]


def test_levels_follow_the_data() -> None:
    results = with_summary(synthetic_results(), "hardmax", "brier", mean=0.001, low=0.0, high=0.002)
    assert "Best 0.001 (hardmax)" in note(results, "levels", "Brier")


def test_levels_count_the_intervals_that_reach_softmax() -> None:
    results = synthetic_results()
    brier = of_mappings(results.summary.query("metric == 'brier'"))
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


def test_disagreements_are_those_of_the_results() -> None:
    results = synthetic_results(n_classes=4)
    shown = figure(results, "disagreements")
    assert [panel.title for panel in shown.panels] == ["Row 17: class 1", "Row 404: class 1", "Row 1203: class 3"]
    frame = results.disagreements
    true = frame[frame["class"] == frame["label"]]
    assert f"gets {true['p_versus'].mean():.2f} from softmax and {true['p'].mean():.2f} from ratio" in shown.see
    drawing = shown.panels[1].drawing
    assert [entry.is_true for entry in drawing.classes] == [True, False, False, False]
    for entry in drawing.classes:
        line = frame[(frame["row"] == 404) & (frame["class"] == int(entry.name[-1]))].iloc[0]
        for bar, p in zip(entry.bars, (line["p_versus"], line["p"]), strict=True):
            assert (bar.end - drawing.start) / (drawing.end - drawing.start) == pytest.approx(p, abs=1e-3)
            assert float(bar.value) == pytest.approx(p, abs=0.005)


def test_a_thin_bar_is_holm_s_interval_behind_the_plain_one() -> None:
    results = synthetic_results()
    line = results.comparisons.query("metric == 'accuracy' and mapping == 'spherical'").iloc[0]
    panel = next(p for p in figure(results, "differences").panels if p.title.startswith("Accuracy"))
    row = next(row for row in panel.drawing.rows if row.name == "spherical")
    unit = (row.bar[1] - row.bar[0]) / (line["high"] - line["low"])
    assert row.thin[0] == pytest.approx(row.bar[0] - unit * (line["low"] - line["low_holm"]), abs=0.02)
    assert row.thin[1] == pytest.approx(row.bar[1] + unit * (line["high_holm"] - line["high"]), abs=0.02)


def test_the_power_is_said_where_nothing_was_found() -> None:
    assert "would have been noticed" not in figure(synthetic_results(), "differences").how
    comparisons = synthetic_results().comparisons.assign(verdict="cannot be told apart")
    how = figure(synthetic_results(comparisons=comparisons), "differences").how
    sizes = comparisons.query("metric == 'brier'")["detectable"]
    assert f"a difference of {sizes.min():.4f} to {sizes.max():.4f}, depending on the mapping, in Brier score" in how
    assert how.endswith("would have been noticed four times out of five.")


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
    own = of_mappings(results.histogram).reset_index()
    counts = own.pivot_table(index="mapping", columns="left", values="count", sort=False)
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
