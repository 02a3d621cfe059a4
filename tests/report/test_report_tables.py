"""The numbers, words and order of the page's tables are those of the results."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from page_parser import Element, parse
from synthetic_results import synthetic_results
from synthetic_tables import METRICS, column_table

from lastlayer.findings import Finding
from lastlayer.report.notes import TOGETHER, study_notes
from lastlayer.report.page import render_html
from lastlayer.report.reading import read
from lastlayer.study.schema import BASELINES
from lastlayer.study.storage.results import StudyResults

HEADINGS = ["Verdict", "Brier difference", "Brier", "Accuracy", "Log loss", "ECE"]
ORDER = ("brier", "accuracy", "log_loss", "ece")


def table(results: StudyResults, name: str) -> Element:
    return parse(render_html(results)).one("table", id=name)


def body(results: StudyResults, name: str, part: int = 0) -> dict[str, list[Element]]:
    """Row header → cells, of the mappings (part 0) or the baselines (part 1)."""
    return {row.one("th").text: row.all("td") for row in table(results, name).all("tbody")[part].all("tr")}


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf").replace("+", ""))


def test_numbers_in_the_main_table_are_those_of_the_results() -> None:
    results = synthetic_results()
    assert [th.text for th in table(results, "metrics").one("thead").all("th")][1:] == HEADINGS
    summary = results.summary.set_index(["mapping", "metric"])
    seen = set()
    for mapping, cells in body(results, "metrics").items():
        for metric, cell in zip(ORDER, cells[2:], strict=True):
            expected = summary.loc[(mapping, metric)]
            shown, full = (cell.one("data").text, float(cell.one("data").attributes["value"]))
            assert full == expected["mean"]
            if math.isinf(full):
                assert shown == "∞"
                assert re.fullmatch(r"in 3\.1\W% of rows", cell.one("small").text)
                continue
            unit = 10.0 ** -len(shown.partition(".")[2])
            assert unit <= 0.001
            assert abs(_number(shown) - expected["mean"]) <= 0.5001 * unit
            seen.add((mapping, metric))
    assert len(seen) == len(results.settings.mappings) * len(METRICS) - 3


def test_the_brier_score_has_its_skill_and_its_paired_difference() -> None:
    results = synthetic_results()
    skill = results.summary.query("metric == 'skill'").set_index("mapping")["mean"]
    lines = results.comparisons.query("metric == 'brier'").set_index("mapping")
    for mapping, (_, difference, brier, *_rest) in body(results, "metrics").items():
        assert brier.one("small").text == f"skill {skill[mapping]:.2f}"
        if mapping == "softmax":
            assert difference.text == ""
            continue
        assert float(difference.one("data").attributes["value"]) == lines.loc[mapping, "difference"]
        low, high = map(_number, difference.one("small").text.strip("[]").split(", "))
        assert (low, high) == pytest.approx(tuple(lines.loc[mapping, ["low", "high"]]), abs=6e-5)


def test_baselines_are_rows_of_their_own() -> None:
    results = synthetic_results()
    for name in ("metrics", "descriptive", "fits"):
        assert list(body(results, name, 1)) == ["boosted trees", "logistic regression", "class frequencies"]
    assert {cells[0].text for cells in body(results, "metrics", 1).values()} == {"baseline"}
    brier = results.summary.query("metric == 'brier'").set_index("mapping")["mean"]
    shown = body(results, "metrics", 1)["boosted trees"][2].one("data").attributes["value"]
    assert float(shown) == brier["boosted_trees"]
    assert not set(BASELINES) & set(body(results, "comparison-brier"))


def test_the_verdict_comes_second_and_orders_the_rows() -> None:
    results = synthetic_results()
    comparisons = results.comparisons.copy()
    brier = comparisons["metric"] == "brier"
    for mapping, verdict in {"ratio": "not comparable", "taylor": "differs", "entmax": "cannot be told apart"}.items():
        comparisons.loc[brier & (comparisons["mapping"] == mapping), "verdict"] = verdict
    words = [cells[0].text for cells in body(synthetic_results(comparisons=comparisons), "metrics").values()]
    assert words == [
        "reference",
        "better",
        *["equal"] * 3,
        "cannot be told apart",
        *["worse"] * 3,
        "not comparable",
    ]


def test_within_a_verdict_the_brier_score_orders_the_rows() -> None:
    results = synthetic_results()
    brier = results.summary.query("metric == 'brier'").set_index("mapping")["mean"]
    rows = body(results, "metrics")
    for word in ("equal", "worse"):
        means = [brier[mapping] for mapping, cells in rows.items() if cells[0].text == word]
        assert len(means) > 2
        assert means == sorted(means)
    assert next(iter(rows)) == "softmax"


def test_comparisons_are_those_of_the_results() -> None:
    results = synthetic_results()
    for metric in METRICS:
        expected = results.comparisons[results.comparisons["metric"] == metric].set_index("mapping")
        shown = body(results, f"comparison-{metric}")
        assert set(shown) == set(expected.index)
        for mapping, (difference, verdict, noticed) in shown.items():
            line = expected.loc[mapping]
            gain = line["difference"] if metric == "accuracy" else -line["difference"]
            word = line["verdict"] if line["verdict"] != "differs" else "better" if gain > 0 else "worse"
            assert float(difference.one("data").attributes["value"]) == line["difference"]
            assert verdict.text.startswith(word)
            assert float(noticed.one("data").attributes["value"]) == pytest.approx(line["detectable"], nan_ok=True)
            assert difference.one("data").text.startswith("+" if line["difference"] > 0 else "−")


def test_only_what_differs_is_called_better_or_worse_and_the_right_way_round() -> None:
    results = synthetic_results()
    tones = {}
    for mapping, cells in body(results, "metrics").items():
        tones[mapping, "brier"] = cells[0].text if cells[0].text in ("better", "worse") else ""
        for metric, cell in zip(ORDER[1:], cells[3:], strict=True):
            tones[mapping, metric] = "".join(span.text for span in cell.all("span", class_="tone"))
    for line in results.comparisons.itertuples():
        gain = line.difference if line.metric == "accuracy" else -line.difference
        expected = ("better" if gain > 0 else "worse") if line.verdict == "differs" else ""
        assert tones[line.mapping, line.metric] == expected


def test_more_metrics_are_those_of_the_results() -> None:
    results = synthetic_results()
    summary = results.summary.set_index(["mapping", "metric"])
    shown = body(results, "descriptive") | body(results, "descriptive", 1)
    assert len(shown) == 13
    for mapping, cells in shown.items():
        label = mapping.replace(" ", "_") if mapping not in results.settings.mappings else mapping
        for metric, cell in zip(("balanced_accuracy", "roc_auc", "average_precision"), cells, strict=True):
            assert float(cell.one("data").attributes["value"]) == summary.loc[(label, metric), "mean"]


def test_recall_precision_and_the_matrix_count_the_confusions() -> None:
    results = synthetic_results(n_classes=3)
    confusion = results.confusion.copy()
    # A class that takes rows of others, but loses none.
    confusion.loc[(confusion["actual"] == 1) & (confusion["predicted"] == 2), "predicted"] = 1
    confusion = confusion.groupby(["mapping", "actual", "predicted"], as_index=False)["count"].sum()
    results = synthetic_results(n_classes=3, confusion=confusion)
    own = confusion[confusion["mapping"] == "softmax"]
    counts = own.pivot_table(index="actual", columns="predicted", values="count", fill_value=0).to_numpy()
    classes, matrix = body(results, "classes"), body(results, "confusion")
    for k in range(3):
        rows, recall, precision = classes[f"class {k}"]
        assert rows.text == str(results.class_counts[k])
        assert float(recall.one("data").attributes["value"]) == pytest.approx(counts[k, k] / counts[k].sum())
        assert float(precision.one("data").attributes["value"]) == pytest.approx(counts[k, k] / counts[:, k].sum())
        assert [float(cell.one("data").attributes["value"]) for cell in matrix[f"class {k}"]] == list(counts[k])


def test_rows_outside_the_domain_are_wrong_and_have_a_column() -> None:
    decision = Finding("keep_reference", "ratio", dict(synthetic_results().decision.facts))
    results = synthetic_results(n_classes=3, decision=decision)
    head = [th.text for th in table(results, "confusion").one("thead").all("th")]
    assert head[-1] == "outside"
    assert [cells[-1].text for cells in body(results, "confusion").values()] == ["2", "2", "2"]
    assert [float(cells[1].one("data").attributes["value"]) for cells in body(results, "classes").values()] == [
        0.9,
        pytest.approx(182 / 202),
        pytest.approx(184 / 204),
    ]


def test_many_classes_list_the_worst_and_the_most_confused() -> None:
    results = synthetic_results(n_classes=40)
    classes = [float(cells[1].one("data").attributes["value"]) for cells in body(results, "classes").values()]
    assert len(classes) == 20
    assert classes == sorted(classes)
    assert not parse(render_html(results)).all("table", id="confusion")
    pairs = [int(row.all("td")[1].text) for row in table(results, "pairs").one("tbody").all("tr")]
    own = results.confusion.query("mapping == 'softmax' and actual != predicted")["count"]
    assert pairs == sorted(own, reverse=True)[: len(pairs)]


def test_columns_say_what_became_of_them() -> None:
    rows = body(synthetic_results(), "columns")
    assert rows["city"][0].text == "feature, became 30"
    assert rows["country"][0].text == "left out: constant"
    assert rows["patient"][0].text == "groups the rows"
    assert rows["city"][2].text == "12"


def test_of_many_columns_those_that_are_no_plain_feature_are_listed() -> None:
    names = [f"column {i}" for i in range(200)]
    columns = column_table(names).assign(use="feature", missing=0)
    columns.loc[[7, 150], "use"] = "constant"
    columns.loc[199, "missing"] = 3
    shown = list(body(synthetic_results(columns=columns), "columns"))
    assert len(shown) == 60
    assert {"column 7", "column 150", "column 199"} <= set(shown)
    assert shown == sorted(shown, key=names.index)
    assert "140 more columns" in table(synthetic_results(columns=columns), "columns").one("caption").text


def test_notes_and_verdicts_are_all_said_once() -> None:
    results = synthetic_results(findings=(Finding("zero_probability", "entmax", {"share": 0.25}),))
    document = parse(render_html(results))
    listed = [li.text for li in document.all("li")]
    assert "entmax: 25 % of the test rows got probability 0 for their class, so its log loss is infinite." in listed
    for _, said in study_notes(results):
        for note in said:
            assert listed.count(note) == (note != TOGETHER), note
    assert TOGETHER in [p.text for p in document.all("p")]
    verdicts = document.one("details", id="comparisons").one("dl", class_="verdicts")
    said = {div.one("dt").text: div.one("dd").text for div in verdicts.all("div")}
    assert said == {row.name: row.verdict for row in read(results).others}
    assert said["ratio"].startswith("Brier score is ")


def test_a_failed_mapping_says_why() -> None:
    results = synthetic_results(("softmax", "ratio"), findings=(Finding("fit_failed", "ratio", {"reason": "no luck"}),))
    comparisons = results.comparisons.iloc[:0]
    document = parse(
        render_html(synthetic_results(("softmax", "ratio"), findings=results.findings, comparisons=comparisons))
    )
    assert "ratio: Could not be studied: a fit failed (no luck)." in [p.text for p in document.all("p")]


def test_rows_outside_the_domain_get_a_table_of_their_own() -> None:
    assert list(body(synthetic_results(), "valid")) == ["ratio"]
    assert not parse(render_html(synthetic_results(("softmax", "taylor")))).all("table", id="valid")


def test_one_infinite_fold_makes_the_mean_infinite() -> None:
    fits = synthetic_results().fits
    first = fits.index[fits["mapping"] == "ratio"][0]
    fits.loc[first, "log_loss_valid"] = math.inf
    assert body(synthetic_results(fits=fits), "valid")["ratio"][3].text == "∞"


def test_restart_spread_is_a_training_row() -> None:
    """The classifier's objective sums over rows; 0.5 over 1437 rows is 0.000348 a row."""
    fits = synthetic_results().fits
    fits["restart_spread"] = np.where(fits["mapping"] == "taylor", 0.5, 0.0)
    spreads = {name: cells[-1].text for name, cells in body(synthetic_results(fits=fits), "fits").items()}
    assert spreads["taylor"] == "0.000348"
    assert spreads["softmax"] == "0"


def test_fits_that_were_cut_short_are_counted() -> None:
    cells = body(synthetic_results(), "fits")
    heads = [th.text for th in table(synthetic_results(), "fits").one("thead").all("th")][1:]
    assert cells["spherical"][heads.index("Cut short")].text == "2 of 10"
    assert cells["softmax"][heads.index("Cut short")].text == "0 of 10"


def test_shares_weigh_folds_by_their_rows() -> None:
    """90 of 360 rows in one fold and none of 40 in another are 22.5 % of the rows, not 12.5 %."""
    results = synthetic_results(("softmax", "ratio"), folds=2, repeats=1)
    fits = results.fits.copy()
    ratio = fits["mapping"] == "ratio"
    fits.loc[ratio, "n_test"] = [360, 40]
    fits.loc[ratio, "invalid_share"] = [0.25, 0.0]
    shown = body(synthetic_results(("softmax", "ratio"), folds=2, repeats=1, fits=fits), "valid")
    assert shown["ratio"][0].text.startswith("22.5")


def test_a_table_without_baselines_has_one_body() -> None:
    results = synthetic_results()
    kept = {
        name: frame[~frame["mapping"].isin(BASELINES)]
        for name in ("fits", "summary", "calibration", "histogram", "confusion")
        if isinstance(frame := getattr(results, name), pd.DataFrame)
    }
    assert len(table(synthetic_results(decision=results.decision, **kept), "metrics").all("tbody")) == 1
