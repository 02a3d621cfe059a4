"""The page in a real browser, from a file: within its window, legible on a phone, with words for everything, and without scripts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_visits import settled

pytestmark = pytest.mark.browser

#: Nothing revealed, everything revealed, scores that break the ratio, many classes, one class, huge ones.
HASHES = (
    "",
    "#reveal=1",
    "#v=1&s=2,-1,0.5&reveal=1",
    f"#s={','.join('1' * 50)}&reveal=1",
    "#s=3&reveal=1",
    "#s=1e300,-1e-300&reveal=1",
    "#reveal=0",
)
WIDER = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.columns, .lab-scroll, .lab-copied, svg, .skip, .unseen')
    && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_its_window(visit: Any, width: int, scheme: str) -> None:
    for hash_ in HASHES:
        page = visit(hash_, width, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        settled(page)
        scroll, inner = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert scroll <= inner, hash_
        assert page.evaluate(WIDER) == [], hash_
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
        assert brightness > 230 if scheme == "light" else brightness < 40


def test_words_in_figures_are_not_small_on_a_phone(visit: Any) -> None:
    page = visit("#reveal=1", 360)
    sizes = page.evaluate(
        """[...document.querySelectorAll('#scenes svg[role=img] text, #strip svg text')].map(e => parseFloat(getComputedStyle(e).fontSize)
        * e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width)"""
    )
    assert len(sizes) > 50
    assert min(sizes) >= 11


def test_what_is_touched_on_a_phone_is_large(visit: Any) -> None:
    page = visit("#reveal=1", 360, has_touch=True)
    small = page.evaluate(
        """[...document.querySelectorAll('.well, #strip button, #presets button, #scenes button, #scenes summary, #strip input[type=text]')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    assert page.evaluate("getComputedStyle(document.querySelector('.well')).touchAction") == "pan-y"


def test_without_scripts_it_gives_the_answer_and_two_pictures(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    text = page.inner_text("body")
    assert "Of all ways to make scores positive" in text
    assert page.locator("svg[role=img]:visible").count() == 2
    assert page.locator("button:visible, input:visible").count() == 0
    assert "Only the exponential passes all three tests" in text


def test_what_changes_is_said(visit: Any) -> None:
    """Every figure has words, sliders say their value, and the answer is announced."""
    page = visit("#reveal=1")
    labels = page.evaluate(
        "[...document.querySelectorAll('svg')].filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]') && !e.getAttribute('aria-hidden') && !e.getAttribute('aria-label')).map(e => e.outerHTML.slice(0, 90))"
    )
    assert labels == []
    assert page.get_attribute("#scene-3 [data-state=shift]", "aria-valuetext") == "+\xa00"
    page.locator(".well input").nth(1).focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    settled(page)
    assert page.get_attribute(".column:nth-child(2) [type=range]", "aria-valuetext") == "minus 0.5"
    page.locator("#live", has_text="no answer").wait_for(state="attached")


def test_motion_is_reduced_on_demand_and_otherwise_ends_at_the_truth(browser: Any, path: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.click("#scene-1 [data-guess=ratio]")
    page.locator("#scene-1 svg[aria-label*='softmax: .62']").wait_for(state="attached")
    context.close()
