"""The last question: its words and marks are those of the recorded studies."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from page_visits import said, settled

import lastlayer.explore
from lastlayer.words.numbers import short

pytestmark = pytest.mark.browser


def test_an_order_is_made_with_the_keyboard(visit: Any) -> None:
    page = visit()
    page.focus("#order [data-name=ratio] [data-move='1']")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.click("#scene-9 [data-show]")
    assert said(page, 9).startswith("Right.")


RECORD = json.loads(
    Path(lastlayer.explore.__file__).with_name("data").joinpath("studies.json").read_text(encoding="utf-8")
)


def named(table: dict[str, Any], metric: str, verdict: str, sign: int) -> set[str]:
    """The mappings with a verdict whose difference has a sign."""
    cells = {name: found[metric] for name, found in table["mappings"].items() if len(found[metric]) > 1}
    return {name for name, cell in cells.items() if cell[4] == verdict and (cell[1] or 0) * sign > 0}


def test_it_begins_with_the_brier_score(visit: Any) -> None:
    page = visit("#reveal=1")
    assert page.inner_text("#metrics [aria-pressed=true]") == "Brier score"


def test_the_sentence_names_what_the_study_found(visit: Any) -> None:
    page = visit("#reveal=1")
    for table in RECORD["tables"]:
        page.click(f"#tables [data-key={table['name']}]")
        for metric, record in RECORD["metrics"].items():
            page.click(f"#metrics [data-key={metric}]")
            takeaway = said(page, 9)
            sign = 1 if record["lower"] else -1
            for words, found in (
                ("Worse than softmax: ", named(table, metric, "differs", sign)),
                ("Better than softmax: ", named(table, metric, "differs", -sign)),
            ):
                listed = re.search(f"{words}([a-z_, ]+)", takeaway)
                assert (set(listed[1].split(", ")) if listed else set()) == found, takeaway
            drawn = page.get_attribute("#scene-9 svg[role=img]", "aria-label")
            apart = [name for name in table["mappings"] if re.search(rf"(?<!\w){name} [^;]*not told apart", drawn)]
            assert set(apart) == {n for n, c in table["mappings"].items() if c[metric][4:] == ["cannot be told apart"]}


def test_an_interval_that_misses_softmax_and_counts_for_nothing_is_explained(visit: Any) -> None:
    """Wine by accuracy: the ratio's line ends short of softmax, and the verdict is that they are not told apart."""
    page = visit("#reveal=1")
    page.click("#tables [data-key=wine]")
    page.click("#metrics [data-key=accuracy]")
    assert (
        "None is shown to be better or worse. The line of ratio alone would miss softmax; with 9 comparisons"
        in said(page, 9)
    )


def test_in_general_is_counted_over_the_tables(visit: Any) -> None:
    page = visit("#reveal=1")
    for metric, record in RECORD["metrics"].items():
        page.click(f"#metrics [data-key={metric}]")
        sign = 1 if record["lower"] else -1
        counts = Counter(name for table in RECORD["tables"] for name in named(table, metric, "differs", sign))
        general = page.inner_text("[data-general]")
        found = dict(re.findall(r"(\w+) on (?:all )?(\d)", general.split(";")[0]))
        assert {name: int(n) for name, n in found.items()} == counts
        assert "none is shown to be better" in general


@pytest.mark.parametrize("width", [360, 1280])
def test_the_axis_has_round_numbers_and_the_marks_have_values(visit: Any, width: int) -> None:
    page = visit("#reveal=1", width)
    page.click("#metrics [data-key=accuracy]")
    for table in RECORD["tables"]:
        page.click(f"#tables [data-key={table['name']}]")
        settled(page)
        words = page.locator("#scene-9 svg[role=img] text").all_text_contents()
        percents = [float(word.split("\xa0")[0]) for word in words if re.fullmatch(r"[\d.]+\xa0%", word)]
        assert max(percents) <= 100
        for name, cells in table["mappings"].items():
            if name != "softmax":
                assert f"{short(100 * cells['accuracy'][0], 3)}\xa0%" in words
        ticks = page.locator("#scene-9 svg[role=img] text[text-anchor=middle]").all_text_contents()
        assert all(float(tick.split("\xa0")[0]) == round(float(tick.split("\xa0")[0])) for tick in ticks), ticks
