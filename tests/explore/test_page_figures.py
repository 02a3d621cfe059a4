"""The page's figures: no word is cut off at any width, and with motion they end where they stand without it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

HASHES = (
    "",
    "#reveal=1",
    "#s=2,-1,0.5&reveal=1",
    "#s=0.3,4.1,-2,1.5,0,0.7,-1,5.2,2,1.1&y=4&reveal=1",
    "#s=1000,0&reveal=1",
    "#s=3&reveal=1",
    "#s=1e300,-1e-300&reveal=1",
    "#reveal=0",
)
#: Text that is drawn outside its figure, and would be cut off there. A pixel is left for rounding.
CUT_OFF = """[...document.querySelectorAll("svg[role=img] text")].filter(e => e.checkVisibility() && e.textContent.trim()).filter(e => {
  const word = e.getBoundingClientRect(), figure = e.ownerSVGElement.getBoundingClientRect();
  return word.left < figure.left - 1.5 || word.right > figure.right + 1.5 || word.top < figure.top - 4 || word.bottom > figure.bottom + 4;
}).map(e => `${e.closest("[id]").id}: ${e.textContent}`)"""

ARRIVED = """new Promise(done => {
  const look = () => ([...LL.scenes.values()].every(scene => scene.t === 1) ? done() : requestAnimationFrame(look));
  look();
})"""


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_word_of_a_figure_is_cut_off(visit: Any, width: int) -> None:
    for hash_ in HASHES:
        page = visit(hash_, width)
        page.evaluate("LL.repaint()")
        assert page.evaluate(CUT_OFF) == [], (hash_, width)


def test_the_check_finds_a_word_that_is_cut_off(visit: Any) -> None:
    page = visit("#reveal=1")
    page.evaluate("document.querySelector('#scene-1 svg[role=img] text').setAttribute('x', '5000')")
    assert len(page.evaluate(CUT_OFF)) == 1


def test_with_motion_every_question_ends_as_it_stands_without(visit: Any) -> None:
    labels = "[...document.querySelectorAll('#scenes svg[role=img]')].map(e => e.getAttribute('aria-label'))"
    words = "[...document.querySelectorAll('[data-say]')].map(e => e.textContent)"
    still, moving = visit(), visit(reduced_motion="no-preference")
    for page in (still, moving):
        for scene in range(1, 10):
            page.locator(f"#scene-{scene} [data-show]").first.click()
        page.evaluate(ARRIVED)
        page.evaluate("LL.redraw(); [...LL.scenes.values()].forEach(LL.paint)")
    assert moving.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches") is False
    assert moving.evaluate(words) == still.evaluate(words)
    assert moving.evaluate(labels) == still.evaluate(labels)
