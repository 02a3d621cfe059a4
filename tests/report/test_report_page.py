"""The page holds what it promises: self-contained, escaped, accessible, and its numbers are those of the results."""

from __future__ import annotations

import itertools
import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_parser import Element, parse
from synthetic_results import HOSTILE, METRICS, all_invalid_results, hostile_results, synthetic_results

from lastlayer.findings import Finding
from lastlayer.report import ReportError, write_html
from lastlayer.report.notes import study_notes
from lastlayer.report.page import render_html
from lastlayer.report.reading import read
from lastlayer.study.storage.results import StudyResults

FIFTY = ("softmax", *(f"entmax:alpha={1 + i / 20:.2f}" for i in range(1, 50)))
CASES: dict[str, Callable[[], StudyResults]] = {
    "default": synthetic_results,
    "hostile": hostile_results,
    "all invalid": all_invalid_results,
    "two mappings, two classes": lambda: synthetic_results(("softmax", "ratio"), n_classes=2, folds=3, repeats=1),
    "fifty mappings, a thousand classes": lambda: synthetic_results(FIFTY, n_classes=1000),
    "without softmax": lambda: synthetic_results(("sparsemax", "entmax")),
    "one mapping": lambda: synthetic_results(("softmax",)),
    "nothing fitted": lambda: _emptied(synthetic_results(("softmax", "ratio"))),
}


def _emptied(results: StudyResults) -> StudyResults:
    tables = {
        name: getattr(results, name).iloc[:0] for name in ("fits", "summary", "comparisons", "calibration", "histogram")
    }
    return synthetic_results(("softmax", "ratio"), **tables)


@pytest.fixture(scope="module", params=CASES)
def page(request: pytest.FixtureRequest) -> str:
    return render_html(CASES[request.param]())


@pytest.fixture(scope="module")
def default() -> Element:
    return parse(render_html(synthetic_results()))


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    document = parse(page)
    for element in document.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"{name} on <{element.tag}>"
            if name in ("src", "srcset", "href", "xlink:href", "action", "data", "poster"):
                assert element.tag == "a", f"<{element.tag} {name}={value!r}>"
        assert element.tag not in ("script", "link", "img", "iframe", "object", "embed", "image", "use", "base")
    style = document.one("style").text
    assert "@import" not in style
    assert "url(" not in style
    assert "://" not in style
    policy = [meta.attributes["content"] for meta in document.all("meta") if "http-equiv" in meta.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_size(page: str) -> None:
    assert len(page.encode()) < 2_000_000


def test_headings_are_in_order(page: str) -> None:
    document = parse(page)
    levels = [int(e.tag[1]) for e in document.all() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert document.one("html").attributes["lang"] == "en"


def test_ids_are_unique_and_what_is_referred_to_is_there(page: str) -> None:
    document = parse(page)
    ids = [e.attributes["id"] for e in document.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in document.all():
        for reference in element.attributes.get("aria-labelledby", "").split():
            assert reference in ids


def test_every_drawing_has_a_name_and_a_description(page: str) -> None:
    for svg in parse(page).all("svg"):
        if svg.attributes.get("aria-hidden") == "true":
            continue
        assert svg.attributes["role"] == "img"
        title, description = (child for child in svg.children[:4] if isinstance(child, Element))
        assert (title.tag, description.tag) == ("title", "desc")
        assert title.text
        assert description.text


def test_every_table_has_a_caption_and_scoped_headers(page: str) -> None:
    tables = parse(page).all("table")
    assert tables
    for table in tables:
        assert table.one("caption").text
        assert {th.attributes["scope"] for th in table.one("thead").all("th")} == {"col"}
        for row in table.one("tbody").all("tr"):
            assert [th.attributes["scope"] for th in row.all("th")] == ["row"]
            assert len(row.all("th")) + len(row.all("td")) == len(table.one("thead").all("th"))


def test_no_place_in_a_drawing_is_missing_or_infinite(page: str) -> None:
    """NaN and infinity are legal floats and illegal SVG: the shape would silently vanish."""
    number_like = {
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
        "width",
        "height",
        "points",
        "transform",
        "d",
        "viewBox",
    }
    for svg in parse(page).all("svg"):
        for element in svg.all():
            for name in number_like & element.attributes.keys():
                assert not re.search(r"nan|inf|None", element.attributes[name], re.IGNORECASE), (element.tag, name)


@pytest.mark.parametrize(
    ("key", "panels"), [("levels", 4), ("differences", 4), ("reliability", 10), ("histograms", 10), ("sharpness", 1)]
)
def test_one_figure_a_kind_with_its_captions(default: Element, key: str, panels: int) -> None:
    figure = default.one("figure", id=f"figure-{key}")
    assert len(figure.all("svg", class_="drawing")) == panels
    caption = figure.one("figcaption")
    assert caption.one("h3").text.startswith("Figure ")
    assert len(caption.one("p", class_="see").text) > 20
    assert len(caption.one("p", class_="how").text) > 20


def test_sections_come_in_order(default: Element) -> None:
    assert [h2.text for h2 in default.all("h2")] == [
        "The question and the answer",
        "The results",
        "Figures",
        "Every comparison with softmax",
        "How it was done",
        "Notes",
        "What was left out",
        "Versions and references",
    ]


def test_notes_and_verdicts_are_all_said() -> None:
    results = synthetic_results(findings=(Finding("zero_probability", "entmax", {"share": 0.25}),))
    document = parse(render_html(results))
    listed = [li.text for li in document.all("li")]
    assert "entmax: 25 % of the test rows got probability 0 for their class, so its log loss is infinite." in listed
    assert all(note in listed for note in study_notes(results))
    said = {div.one("dt").text: div.one("dd").text for div in document.one("dl", class_="verdicts").all("div")}
    assert said == {row.name: row.verdict for row in read(results).others}
    assert said["ratio"].startswith("Brier score is ")


def test_a_failed_mapping_says_why_in_the_place_of_its_verdict() -> None:
    results = synthetic_results(("softmax", "ratio"), findings=(Finding("fit_failed", "ratio", {"reason": "no luck"}),))
    document = parse(render_html(results))
    assert document.one("dl", class_="verdicts").one("dd").text == "Could not be studied: a fit failed (no luck)."


def test_what_was_left_out_has_its_reason(default: Element) -> None:
    section = next(s for s in default.all("section") if s.attributes["aria-labelledby"] == "left-out")
    assert [dt.text for dt in section.all("dt")] == ["softmax_plus_one"]
    assert "optimum is softmax" in section.one("dd").text


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf").replace("+", ""))


def test_numbers_in_the_table_are_those_of_the_results() -> None:
    results = synthetic_results()
    table = parse(render_html(results)).one("table", id="metrics")
    columns = [th.text for th in table.one("thead").all("th")][1:5]
    assert columns == ["Brier", "Accuracy", "Log loss", "ECE"]
    summary = results.summary.set_index(["mapping", "metric"])
    seen = set()
    for row in table.one("tbody").all("tr"):
        mapping = row.one("th").text
        for metric, cell in zip(("brier", "accuracy", "log_loss", "ece"), row.all("td"), strict=False):
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
            low, high = map(_number, cell.one("small").text.strip("[]").split(", "))
            assert abs(low - expected["low"]) <= 0.5001 * unit
            assert abs(high - expected["high"]) <= 0.5001 * unit
            seen.add((mapping, metric))
    assert len(seen) == len(results.settings.mappings) * len(METRICS) - 3


def test_comparisons_are_those_of_the_results() -> None:
    results = synthetic_results()
    document = parse(render_html(results))
    for metric in METRICS:
        expected = results.comparisons[results.comparisons["metric"] == metric].set_index("mapping")
        table = document.one("table", id=f"comparison-{metric}")
        shown = {row.one("th").text: row.all("td") for row in table.one("tbody").all("tr")}
        assert set(shown) == set(expected.index)
        for mapping, (difference, verdict, detectable) in shown.items():
            line = expected.loc[mapping]
            assert float(difference.one("data").attributes["value"]) == line["difference"]
            assert verdict.text.startswith(line["verdict"])
            assert float(detectable.one("data").attributes["value"]) == pytest.approx(line["detectable"], nan_ok=True)
            sign = "+" if line["difference"] > 0 else "−"
            assert difference.one("data").text.startswith(sign)


def test_only_what_differs_is_called_better_or_worse_and_the_right_way_round() -> None:
    results = synthetic_results()
    tones = {}
    for row in parse(render_html(results)).one("table", id="metrics").one("tbody").all("tr"):
        for metric, cell in zip(("brier", "accuracy", "log_loss", "ece"), row.all("td"), strict=False):
            tones[row.one("th").text, metric] = "".join(span.text for span in cell.all("span", class_="tone"))
    for line in results.comparisons.itertuples():
        gain = line.difference if line.metric == "accuracy" else -line.difference
        expected = ("better" if gain > 0 else "worse") if line.verdict == "differs" else ""
        assert tones[line.mapping, line.metric] == expected


def test_softmax_comes_first_and_the_rest_by_brier_score(default: Element) -> None:
    brier = synthetic_results().summary.query("metric == 'brier'").set_index("mapping")["mean"]
    expected = ["softmax", *brier.drop("softmax").sort_values().index]
    for table in ("metrics", "fits", "equations"):
        assert [th.text for th in default.one("table", id=table).one("tbody").all("th")] == expected


def test_a_mapping_has_one_mark_everywhere(default: Element) -> None:
    marks: dict[str, set[tuple[str, str]]] = {}
    for swatch in default.all("svg", class_="swatch"):
        assert swatch.parent is not None
        hue = re.search(r"hue\d+", swatch.attributes["class"])
        assert hue
        marks.setdefault(swatch.parent.text, set()).add((hue.group(), swatch.one("path").attributes["d"]))
    assert len(marks) == 10
    assert all(len(seen) == 1 for seen in marks.values())
    assert len(set.union(*marks.values())) == 10


def test_hostile_text_stays_text() -> None:
    page = render_html(hostile_results())
    document = parse(page)
    assert not document.all("script")
    assert not document.all("img")
    assert document.one("head").one("title").text.startswith("<script>alert(1)</script>")
    shown = [li.text for li in document.all("li")]
    for text in HOSTILE:
        readable = re.sub("[\x00-\x1f\x7f\u202e]", "\ufffd", text)
        said = f"The first column of {' '.join(readable.split())} has no name and only numbers the rows, so it was left out."
        assert said in shown
    for forbidden in ("\x00", "\x07", "\x1b", "\u202e", "\ud800"):
        assert forbidden not in page
    assert "49" not in " ".join(shown), "a template inside a note was run"


def test_long_names_are_shortened_and_told_apart() -> None:
    twins = ("softmax", "a" * 200 + "1" * 40, "a" * 200 + "2" + "1" * 39)
    rows = parse(render_html(synthetic_results(twins))).one("table", id="metrics").one("tbody").all("th")
    names = [th.text for th in rows]
    assert len(set(names)) == 3
    assert all(len(name) <= 60 for name in names)


def test_rows_outside_the_domain_get_a_table_of_their_own(default: Element) -> None:
    assert [th.text for th in default.one("table", id="valid").one("tbody").all("th")] == ["ratio"]
    assert not parse(render_html(synthetic_results(("softmax", "taylor")))).all("table", id="valid")


def test_one_infinite_fold_makes_the_mean_infinite() -> None:
    fits = synthetic_results().fits
    first = fits.index[fits["mapping"] == "ratio"][0]
    fits.loc[first, "log_loss_valid"] = math.inf
    cells = parse(render_html(synthetic_results(fits=fits))).one("table", id="valid").one("tbody").all("td")
    assert cells[3].text == "∞"


def test_without_softmax_nothing_is_compared() -> None:
    document = parse(render_html(synthetic_results(("sparsemax", "entmax"))))
    assert not document.all("figure", id="figure-differences")
    assert "Nothing was compared." in document.one("p", class_="answer").text


@pytest.mark.parametrize(
    ("verdicts", "short"),
    [
        (("differs", "equal"), "Yes."),
        (("equal", "equal"), "No."),
        (("equal", "cannot be told apart"), "Not that this study could see."),
    ],
)
def test_the_answer_follows_the_verdicts(verdicts: tuple[str, str], short: str) -> None:
    mappings = ("softmax", "taylor", "entmax")
    comparisons = synthetic_results(mappings).comparisons.copy()
    comparisons["verdict"] = comparisons["mapping"].map(dict(zip(mappings[1:], verdicts, strict=True)))
    document = parse(render_html(synthetic_results(mappings, comparisons=comparisons)))
    answer = document.one("p", class_="answer")
    assert answer.one("strong").text == short


def test_the_answer_counts_every_metric() -> None:
    results = synthetic_results()
    differs = results.comparisons[results.comparisons["verdict"] == "differs"].groupby("metric").size()
    said = parse(render_html(results)).one("p", class_="answer").text
    assert f"By the Brier score, {differs['brier']} of 9 mappings differ from softmax." in said
    assert (
        f"In accuracy {differs['accuracy']} of 9 differ, in log loss {differs['log_loss']} (3 not comparable)" in said
    )


def test_restart_spread_is_a_training_row() -> None:
    """The classifier's objective sums over rows; 0.5 over 1437 rows is 0.000348 a row."""
    fits = synthetic_results().fits
    fits["restart_spread"] = np.where(fits["mapping"] == "taylor", 0.5, 0.0)
    table = parse(render_html(synthetic_results(fits=fits))).one("table", id="fits")
    spreads = {row.one("th").text: row.all("td")[-1].text for row in table.one("tbody").all("tr")}
    assert spreads["taylor"] == "0.000348"
    assert spreads["softmax"] == "0"


def test_shares_weigh_folds_by_their_rows() -> None:
    """90 of 360 rows in one fold and none of 40 in another are 22.5 % of the rows, not 12.5 %."""
    results = synthetic_results(("softmax", "ratio"), folds=2, repeats=1)
    fits = results.fits.copy()
    ratio = fits["mapping"] == "ratio"
    fits.loc[ratio, "n_test"] = [360, 40]
    fits.loc[ratio, "invalid_share"] = [0.25, 0.0]
    document = parse(render_html(synthetic_results(("softmax", "ratio"), folds=2, repeats=1, fits=fits)))
    assert document.one("table", id="valid").one("tbody").all("td")[0].text.startswith("22.5")


def test_write_html_returns_the_path_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "report.html"
    assert write_html(synthetic_results(("softmax", "ratio")), target) == target
    first = target.read_text(encoding="utf-8")
    write_html(synthetic_results(("softmax", "taylor")), str(target))
    assert target.read_text(encoding="utf-8") != first
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o044, "others may read it"


def test_a_failed_write_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    target.write_text("earlier", encoding="utf-8")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(ReportError, match=re.escape(str(target))) as caught:
        write_html(synthetic_results(("softmax", "ratio")), target)
    assert "no space left on device" in str(caught.value)
    assert target.read_text(encoding="utf-8") == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("place", ["a file for a folder", "a folder for a file"])
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    if place == "a file for a folder":
        (tmp_path / "taken").write_text("", encoding="utf-8")
        target = tmp_path / "taken" / "report.html"
    else:
        target = tmp_path / "report.html"
        target.mkdir()
    with pytest.raises(ReportError, match=re.escape(str(target))) as caught:
        write_html(synthetic_results(("softmax", "ratio")), target)
    assert "folder you may write to" in str(caught.value)


def test_the_same_results_give_the_same_page() -> None:
    assert render_html(synthetic_results()) == render_html(synthetic_results())


def test_results_read_back_from_parquet_give_the_same_page(tmp_path: Path) -> None:
    results = synthetic_results()
    results.write_parquet(tmp_path / "results.parquet")
    again = StudyResults.read_parquet(tmp_path / "results.parquet")
    pd.testing.assert_frame_equal(again.fits, results.fits, check_dtype=False)
    assert render_html(again) == render_html(results)
