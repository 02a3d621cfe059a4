"""The page on paper: everything answered, or nothing where it is handed out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_visits import settled

from lastlayer.explore.page import build

pytestmark = pytest.mark.browser


def test_a_page_that_is_handed_out_is_unanswered(visit: Any) -> None:
    page = visit("#reveal=0")
    assert not page.evaluate("document.getElementById('answer').open")
    assert page.locator("[data-say]:visible, #lab:visible, #answer:visible, #reveal-all:visible").count() == 0
    assert page.locator("#contents [data-scene=lab]:visible, #contents [data-scene=claims]:visible").count() == 0
    assert "".join(page.locator("[data-say]").all_text_contents()) == ""
    assert not re.search("loss [0-9]|slope at", page.inner_text("#scene-7"))
    page.emulate_media(media="print")
    settled(page)
    assert page.locator("[data-say]:visible, .answer:visible, #order:visible").count() == 0
    assert page.locator("#scene-2 .write:visible, #scene-9 .write:visible").count() == 2


def test_on_paper_everything_is_answered_and_folded_parts_are_open(visit: Any, tmp_path: Path) -> None:
    page = visit("", 680, 1000, color_scheme="dark")
    page.emulate_media(media="print")
    settled(page)
    assert page.locator("[data-say]:visible").count() == 9
    assert page.evaluate("[...document.querySelectorAll('.scene')].every(e => e.getBoundingClientRect().height < 990)")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#strip:visible, .contents:visible, .write:visible, .steps:visible").count() == 0
    assert "no answer after two steps" in page.inner_text("[data-words=ratio]")
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert (tmp_path / "page.pdf").stat().st_size > 20_000


def test_a_way_back_is_not_printed(visit: Any) -> None:
    """The documents put a link above the title."""
    page = visit()
    page.evaluate("document.querySelector('.top .kicker').innerHTML = '<a href=\"#scene-1\">back</a>'")
    assert page.locator(".top .kicker a:visible").count() == 1
    page.emulate_media(media="print")
    assert page.locator(".top .kicker a:visible").count() == 0


def test_the_notes_have_the_plan_of_the_documents() -> None:
    """Ten minutes: the questions of docs/teach.md, in its order, and the one that it hands out."""
    teach = (Path(__file__).parents[2] / "docs" / "teach.md").read_text(encoding="utf-8")
    plan = teach[teach.index("## Ten minutes") : teach.index("## Forty-five minutes")]
    asked = [int(scene) for scene in re.findall(r"scene=(\d)&ui=present", plan)]
    handed_out = re.findall(r"scene=(\d)&reveal=0", plan)
    assert asked == list(range(1, asked[-1] + 1))
    says = f"<b>10 minutes:</b> questions 1 to {asked[-1]} in order, a show of hands before each reveal; question {handed_out[0]} is the handout."
    assert says in build()


def test_all_questions_are_printed_from_the_lecture_hall(visit: Any) -> None:
    page = visit("#ui=present&scene=3")
    page.emulate_media(media="print")
    settled(page)
    assert page.locator("#scenes .scene:visible").count() == 9
    assert page.locator("#stage:visible, #blank:visible").count() == 0
