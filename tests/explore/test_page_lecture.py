"""The lecture hall, and the keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest
from page_visits import settled

pytestmark = pytest.mark.browser


def test_the_keyboard_alone_reaches_everything(visit: Any) -> None:
    page = visit("#reveal=1")
    wanted = page.evaluate(
        """[...document.querySelectorAll('button, input, select, summary, a[href]')].filter(e => e.checkVisibility() && !e.disabled
        && !(e.type === 'radio' && !e.checked)).map((e, i) => (e.dataset.place = i))"""
    )
    reached = set()
    for _ in range(len(wanted) + 30):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            "(e => [e.dataset.place ?? null, getComputedStyle(e.closest('.well') ?? e).outlineStyle])(document.activeElement)"
        )
        if place is not None:
            reached.add(int(place))
            assert outline != "none", place
    assert reached == set(wanted)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1024, 768)])
def test_a_lecture_is_driven_by_keys(visit: Any, size: tuple[int, int]) -> None:
    page = visit("", *size)
    page.keyboard.press("p")
    assert page.locator("#scenes .scene:visible").count() == 0
    for scene in range(1, 10):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(
            "[...document.querySelectorAll('.scene')].filter(e => e.checkVisibility()).map(e => e.id)"
        ) == [f"scene-{scene}"]
        assert page.locator(f"#scene-{scene} [data-say]:visible").count() == 0
        page.keyboard.press("Space")
        settled(page)
        assert page.locator(f"#scene-{scene} [data-say]:visible").count() == 1
        over = page.evaluate(
            "(e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth])(document.querySelector('.scene.current'))"
        )
        assert max(over) <= 0, scene
        letters = page.evaluate(
            f"parseFloat(getComputedStyle(document.querySelector('#scene-{scene} [data-say]')).fontSize)"
        )
        assert letters >= 0.0218 * size[0]
    page.keyboard.press("b")
    assert page.locator("#blank:visible").count() == 1
    page.keyboard.press("b")
    page.keyboard.press("Home")
    page.keyboard.press("7")
    page.keyboard.press("Backspace")
    settled(page)
    assert page.locator("#scene-7 [data-say]:visible").count() == 0
    page.keyboard.press("Escape")
    settled(page)
    assert page.evaluate("LL.state.ui") == ""
    assert page.locator("#scenes .scene:visible").count() == 9


def test_the_cover_gives_nothing_away(visit: Any) -> None:
    page = visit("#reveal=1")
    for _ in range(2):
        page.keyboard.press("p")
        settled(page)
        assert page.evaluate("getComputedStyle(document.querySelector('.hero svg')).visibility") == "hidden"
        page.keyboard.press("Space")
        assert page.evaluate("getComputedStyle(document.querySelector('.hero svg')).visibility") == "visible"
        assert page.evaluate("document.querySelector('.hero').getBoundingClientRect().bottom <= innerHeight")
        words = page.locator(".hero text").all_text_contents()
        assert words.count("softmax") == words.count("ratio") == 3
        assert "1.00" in words
        page.keyboard.press("Escape")


def test_the_algebra_waits_for_the_answer(visit: Any) -> None:
    page = visit("#ui=present&scene=2")
    page.keyboard.press("a")
    assert page.locator("#scene-2 .predict:visible").count() == 1
    assert "algebra" not in page.text_content("#stage-keys")
    page.keyboard.press("Space")
    settled(page)
    assert page.locator("#scene-2 [data-say]:visible").count() == 1
    assert "A: algebra" in page.text_content("#stage-keys")
    page.keyboard.press("a")
    assert page.locator("#scene-2 .math:visible").count() == 1
    assert page.locator("#scene-2 .predict:visible, #scene-2 [data-say]:visible").count() == 0


def test_steps_are_driven_by_the_space_bar(visit: Any) -> None:
    page = visit("#ui=present&scene=7")
    assert page.locator("#step:visible").count() == 1
    assert page.inner_text("[data-words=ratio]") == "[1.00, 0.50]"
    for words in ("[1.00, 0.50]: loss 1.1", "[0.33, 1.83]: loss 0.167", "[−0.13, 1.92]: no answer after two steps."):
        page.keyboard.press("Space")
        settled(page)
        assert page.inner_text("[data-words=ratio]").startswith(words)
    page.keyboard.press("Backspace")
    settled(page)
    assert page.inner_text("[data-words=ratio]") == "[1.00, 0.50]"


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)])
@pytest.mark.parametrize("scores", ["0.3,4.1,-2,1.5,0,0.7", "0.3,4.1,-2,1.5,0,0.7,-1,5.2,2,1.1"])
def test_many_classes_fit_the_screen(visit: Any, size: tuple[int, int], scores: str) -> None:
    page = visit(f"#ui=present&reveal=1&s={scores}", *size)
    for scene in range(1, 10):
        page.keyboard.press(str(scene))
        settled(page)
        over = page.evaluate(
            "(e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth])(document.querySelector('.scene.current'))"
        )
        assert max(over) <= 0, scene


def test_leaving_takes_the_black_screen_away(visit: Any) -> None:
    page = visit("#ui=present&scene=2")
    page.keyboard.press("b")
    page.mouse.click(600, 300)
    assert page.locator("#blank:visible").count() == 0
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    settled(page)
    assert page.locator("#blank:visible").count() == 0


def test_a_button_that_the_keyboard_is_on_is_pressed(visit: Any) -> None:
    page = visit("#ui=present&scene=7")
    page.keyboard.press("Tab")
    page.focus("#step")
    page.keyboard.press("Space")
    settled(page)
    assert page.inner_text("[data-words=ratio]") == "[0.33, 1.83]"
    assert page.locator("#scene-7 [data-say]:visible").count() == 0


def test_the_last_class_to_go_passes_the_focus_on(visit: Any) -> None:
    page = visit()
    page.focus("#remove")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("LL.state.scores") == [1]
    assert page.evaluate("document.activeElement.id") == "add"


def test_a_frame_of_a_course_page_shows_what_it_was_asked_for(visit: Any) -> None:
    for scene in ("lab", "claims"):
        page = visit(f"#ui=embed&scene={scene}")
        assert page.locator("#lab:visible").count() == 1
        assert page.locator("#scenes .scene:visible").count() == 0
    page.keyboard.press("p")
    settled(page)
    assert page.evaluate("LL.state.ui") == "embed"


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)])
def test_the_scores_stand_below_the_question(visit: Any, size: tuple[int, int]) -> None:
    page = visit("#ui=present&reveal=1&s=4,3,2", *size)
    page.keyboard.press("s")
    for scene in range(1, 10):
        page.keyboard.press(str(scene))
        settled(page)
        bottom, top, over = page.evaluate(
            "(e => [e.getBoundingClientRect().bottom, document.getElementById('strip').getBoundingClientRect().top, e.scrollHeight - e.clientHeight])(document.querySelector('.scene.current'))"
        )
        assert bottom <= top + 0.5, scene
        assert over <= 0, scene
    assert ".67" in page.text_content("#strip svg[role=img]")
