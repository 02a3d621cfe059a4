"""Scores that are pasted, and what softcap and temperature make of them before the questions see them."""

from __future__ import annotations

from typing import Any

import pytest
from page_visits import drawn, said

import lastlayer as ll
from lastlayer.explore.page import build
from lastlayer.words.numbers import short

pytestmark = pytest.mark.browser

PASTE = """([selector, text]) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  document.querySelector(selector).dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  return LL.state.scores;
}"""
FIELD = ".column:nth-child(1) input[type=text]"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("[2, −1, .5]", [2, -1, 0.5]),
        (" 3;4\n5 ", [3, 4, 5]),
        ("(1e3, 0)", [1000, 0]),
        ("–1 2", [-1, 2]),
        ("1, 0.5,", [1, 0.5]),
        ("1,2", [1, 2]),
    ],
)
def test_a_list_is_pasted_anywhere(visit: Any, text: str, scores: list[float]) -> None:
    page = visit()
    for place in ("#scene-3", FIELD):
        page.evaluate("LL.set({ scores: [7] })")
        assert page.evaluate(PASTE, [place, text]) == scores


@pytest.mark.parametrize(
    "text",
    [
        "Call me at 555 1234",
        "3",
        "[3]",
        "1 2 three",
        "0x10 0x20",
        "12:30 1",
        "[1, 2",
        "1e301 2",
        "",
        "[[1, 2]]",
        "1,5 2,5",
        "[1,5; 2]",
        "softmax2 1 2",
    ],
)
def test_other_text_leaves_the_scores_alone(visit: Any, text: str) -> None:
    assert visit().evaluate(PASTE, ["#scene-3", text]) == [1, 0.5]


def test_other_fields_keep_their_own_paste(visit: Any) -> None:
    page = visit()
    for place in ("#paste", ".lab-dial input[type=text]"):
        assert page.evaluate(PASTE, [place, "1 2 3"]) == [1, 0.5]


def test_the_field_for_lists_takes_code(visit: Any) -> None:
    texts = ["logits = [1, .5]", "tensor([1., -2.])", "x1 2", "-[1, 2]", "softmax2 1 2"]
    read = visit().evaluate("texts => texts.map(LL.parseScores)", texts)
    assert read == [[1, 0.5], [1, -2], None, None, None]


def test_a_field_for_a_score_says_why_it_refuses(visit: Any) -> None:
    page = visit()
    for text, words in {"1,5": "point for the decimal comma", "a" * 500: "no score", "2e300": "no score"}.items():
        page.fill(FIELD, text)
        page.press(FIELD, "Enter")
        assert page.evaluate("LL.state.scores") == [1, 0.5]
        assert page.get_attribute(FIELD, "aria-invalid") == "true"
        said = page.inner_text("#paste-wrong")
        assert words in said
        assert len(said) < 160
        page.locator(FIELD).blur()
        assert (page.input_value(FIELD), page.get_attribute(FIELD, "aria-invalid")) == ("1", "false")
    page.fill("#paste", "1,5 2,5")
    page.press("#paste", "Enter")
    assert page.inner_text("#paste-wrong") == "“1,5 2,5”: write a point for the decimal comma."
    page.fill(FIELD, "2")
    page.press(FIELD, "Enter")
    drawn(page)
    assert not page.is_visible("#paste-wrong")


def test_a_screen_reader_says_powers(visit: Any) -> None:
    texts = ["1e−5", "−0.5", "[2, −1e−300]", "1e20", "e-mail"]
    assert visit().evaluate("texts => texts.map(LL.spoken)", texts) == [
        "1 times ten to the minus 5",
        "minus 0.5",
        "[2, minus 1 times ten to the minus 300]",
        "1 times ten to the 20",
        "e-mail",
    ]


def test_the_questions_are_about_what_reaches_the_mapping(visit: Any) -> None:
    page = visit("#s=1,0.5&t=0.5&reveal=1")
    assert (
        page.inner_text("#reached")
        == "With temperature 0.5, as the lab is set, they become [2, 1]. All questions are about these."
    )
    assert "[2, 1]" in page.inner_text("#q1")
    assert short(float(ll.softmax([2.0, 1.0])[0])) in said(page, 1)
    assert "softmax" in page.locator("#scene-1 [data-guess].right").inner_text()
    assert page.get_attribute("#results svg", "aria-label") == "softmax .73 .27 · ratio .67 .33"
    assert page.input_value(FIELD) == "1"
    page.evaluate("LL.set({ parameters: {} })")
    drawn(page)
    assert not page.is_visible("#reached")
    assert short(float(ll.softmax([1.0, 0.5])[0])) in said(page, 1)


@pytest.mark.parametrize("more", ["", "&t=0.5", "&cap=4", "&cap=4&t=0.5"])
def test_the_slider_of_max_sets_what_reaches_the_mapping(visit: Any, more: str) -> None:
    page = visit(f"#s=1,0.5{more}&reveal=1")
    asked = page.locator("#x0").evaluate(
        "slider => { slider.value = 1.5; slider.dispatchEvent(new Event('input')); return Number(slider.value); }"
    )
    drawn(page)
    assert asked == pytest.approx(1.5, abs=0.1)
    assert page.evaluate("LL.reached(LL.state).scores[0]") == pytest.approx(asked)


@pytest.mark.parametrize(
    ("hash_", "command"),
    [
        ("#s=1,0.5", "lastlayer compare 1 0.5"),
        ("#s=1,0.5&y=0", "lastlayer compare 1 0.5 --label 0"),
        ("#s=2,-1,0.5&y=2&t=0.5&cap=3", "lastlayer compare 2 -1 0.5 --label 2 --softcap 3 --temperature 0.5"),
    ],
)
def test_the_command_at_the_foot_asks_the_same_question(visit: Any, hash_: str, command: str) -> None:
    page = visit(hash_)
    assert page.inner_text("#as-command") == command
    page.evaluate("LL.set({ parameters: { temperature: 4 } })")
    drawn(page)
    assert "--temperature 4" in page.inner_text("#as-command")


def test_the_strip_shows_answers_once_a_question_is_answered(visit: Any) -> None:
    page = visit()
    assert "answer question 1" in page.get_attribute("#results svg", "aria-label")
    page.click("#scene-3 [data-show]")
    drawn(page)
    assert ".62" in page.get_attribute("#results svg", "aria-label")


def test_a_frame_without_an_address_offers_no_link(visit: Any) -> None:
    """As in a notebook, whose frame has its page inside an attribute."""
    page = visit()
    assert page.get_by_role("button", name="Link", exact=True).count() == 1
    page.evaluate(
        "text => { const frame = document.createElement('iframe'); frame.srcdoc = text; document.body.prepend(frame); }",
        build(),
    )
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    assert frame.get_by_role("button", name="Link", exact=True).count() == 0
    assert frame.get_by_role("button", name="Command", exact=True).count() == 1
