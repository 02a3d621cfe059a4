"""The page holds what it promises: self-contained, escaped, accessible, and its numbers are those of the results."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from page_parser import Element, parse
from synthetic_evaluation import CASES as EVALUATIONS
from synthetic_results import DEFAULT, HOSTILE, all_invalid_results, hostile_results, synthetic_results

from lastlayer.report import ReportError, write_html
from lastlayer.report.evaluation.page import render_evaluation_html
from lastlayer.report.page import render_html
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


@pytest.fixture(scope="module", params=[*CASES, *(f"evaluation: {name}" for name in EVALUATIONS)])
def page(request: pytest.FixtureRequest) -> str:
    if request.param in CASES:
        return render_html(CASES[request.param]())
    return render_evaluation_html(EVALUATIONS[request.param.removeprefix("evaluation: ")]())


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
                assert value.startswith(
                    (
                        "#",
                        "https://doi.org/",
                        "https://arxiv.org/",
                        "https://www.j",
                        "https://proceed",
                        "https://papers.nips.cc/",
                    )
                )
        assert element.tag not in ("script", "link", "img", "iframe", "object", "embed", "image", "use", "base")
    style = document.one("style").text
    assert "@import" not in style
    assert "url(" not in style
    assert "://" not in style
    policy = [meta.attributes["content"] for meta in document.all("meta") if "http-equiv" in meta.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_size(page: str) -> None:
    assert len(page.encode()) < 800_000


def test_the_page_of_ten_mappings_is_small() -> None:
    assert len(render_html(synthetic_results()).encode()) < 250_000


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
        for row in table.all("tr")[1:]:
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
    ("key", "panels", "is_folded"),
    [
        ("differences", 4, False),
        ("reliability", 3, False),
        ("disagreements", 3, False),
        ("levels", 4, True),
        ("histograms", 10, True),
        ("sharpness", 1, True),
    ],
)
def test_one_figure_a_kind_with_its_captions(default: Element, key: str, panels: int, is_folded: bool) -> None:
    figure = default.one("figure", id=f"figure-{key}")
    assert figure.parent is not None
    assert (figure.parent.tag == "details") == is_folded
    assert len(figure.all("svg", class_="drawing")) == panels
    caption = figure.one("figcaption")
    heading = (figure.parent.all("summary")[0] if is_folded else caption).one("h3")
    assert heading.text.startswith("Figure ")
    assert len(caption.one("p", class_="see").text) > 20
    assert len(caption.one("p", class_="how").text) > 20


def test_sections_come_in_order_and_the_contents_lead_to_them(default: Element) -> None:
    headings = [h2.text for h2 in default.all("h2")]
    assert headings == ["Results", "Classes", "Figures", "Your data", "How it was done", "Notes", "This run"]
    links = default.one("nav").all("a")
    assert [link.text for link in links] == headings
    ids = {e.attributes.get("id") for e in default.all("h2")}
    assert {link.attributes["href"].removeprefix("#") for link in links} == ids
    skip = default.one("body").all("a")[0]
    assert skip.attributes == {"class": "skip", "href": "#results"}


def test_what_takes_long_to_read_is_folded(default: Element) -> None:
    for paragraph in default.all("p"):
        parents, parent = [], paragraph.parent
        while parent is not None:
            parents.append(parent.tag)
            parent = parent.parent
        assert len(paragraph.text) < 330 or "details" in parents, paragraph.text
    for details in default.all("details"):
        first = next(child for child in details.children if isinstance(child, Element))
        assert first.tag == "summary"
        assert first.text


def test_what_was_left_out_has_its_reason_once(default: Element) -> None:
    assert not default.all("details", id="left-out")
    assert sum("optimum is softmax" in li.text for li in default.all("li")) == 1
    without = parse(render_html(synthetic_results(DEFAULT[:-1], findings=()))).one("details", id="left-out")
    assert [dt.text for dt in without.all("dt")] == ["entmax"]
    assert without.one("dd").text == "It was not among the mappings asked for."


def test_a_mapping_has_one_mark_everywhere(default: Element) -> None:
    marks: dict[str, set[tuple[str, str]]] = {}
    for swatch in default.all("svg", class_="swatch"):
        assert swatch.parent is not None
        hue = re.search(r"hue\d+", swatch.attributes["class"])
        assert hue
        marks.setdefault(swatch.parent.text, set()).add((hue.group(), swatch.one("path").attributes["d"]))
    assert len(marks) == 13
    assert all(len(seen) == 1 for seen in marks.values())
    assert len(set.union(*marks.values())) == 13


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
    assert sum("{{ 7 * 7 }} {% raw %}" in text for text in shown) > 5, "a template inside a note is not run"


def test_long_names_are_shortened_and_told_apart() -> None:
    twins = ("softmax", "a" * 200 + "1" * 40, "a" * 200 + "2" + "1" * 39)
    rows = parse(render_html(synthetic_results(twins))).one("table", id="metrics").all("tbody")[0].all("th")
    names = [th.text for th in rows]
    assert len(set(names)) == 3
    assert all(len(name) <= 60 for name in names)


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
