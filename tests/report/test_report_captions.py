"""Captions are computed: each claim is checked against the data by another way than the code's, and moves with the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captions import figure, note, of_mappings, with_summary
from synthetic_results import synthetic_results

from lastlayer.report.figures import build_figures
from lastlayer.report.reading import read


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


@pytest.mark.parametrize("turned", [[], ["ratio"], ["ratio", "hardmax"]])
def test_differences_are_named_by_direction(turned) -> None:
    comparisons = synthetic_results().comparisons
    comparisons.loc[comparisons["mapping"].isin(turned), "difference"] *= -1
    lines = comparisons.query("metric == 'accuracy' and verdict == 'differs'")
    said = note(synthetic_results(comparisons=comparisons), "differences", "Accuracy")
    better = said.partition(" better")[0] if " better" in said else ""
    worse = said.removeprefix(better)
    assert len(lines) == 3
    for line in lines.itertuples():
        assert line.mapping in (better if line.difference > 0 else worse)
        assert line.mapping not in (worse if line.difference > 0 else better)


def test_one_that_differs_alone_is_said_so() -> None:
    comparisons = synthetic_results().comparisons
    comparisons.loc[comparisons["mapping"] != "ratio", "verdict"] = "cannot be told apart"
    assert note(synthetic_results(comparisons=comparisons), "differences", "Accuracy") == "only ratio is worse."


def test_comparisons_with_another_mapping_are_not_shown_as_with_softmax() -> None:
    comparisons = synthetic_results().comparisons
    others = comparisons.assign(versus="ratio", verdict="differs", difference=9.0)
    both = synthetic_results(comparisons=pd.concat([comparisons, others]))
    assert figure(both, "differences").see == figure(synthetic_results(), "differences").see


def test_what_cannot_be_compared_is_named() -> None:
    said = note(synthetic_results(), "differences", "Log loss")
    why = "because they gave some true classes probability zero."
    assert f"entmax, sparsemax and hardmax cannot be compared here, {why}" in said
    assert "cannot be compared" not in note(synthetic_results(), "differences", "Brier")


def test_no_difference_is_said_so() -> None:
    comparisons = synthetic_results().comparisons.assign(verdict="cannot be told apart")
    assert "none of 9 found to differ" in figure(synthetic_results(comparisons=comparisons), "differences").see


def test_the_margin_is_drawn_where_it_is() -> None:
    panel = figure(synthetic_results(), "differences").panels[0]
    zero, (left, right) = panel.drawing.reference, panel.drawing.band
    places = {text: x for x, text in panel.drawing.ticks}
    unit = (places["0.05"] - places["0.00"]) / 5
    assert (zero - left, right - zero) == pytest.approx((unit, unit), rel=1e-2)


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
