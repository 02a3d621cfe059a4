"""Playing: scores are dragged, typed and pasted, guesses made, and every question speaks of the scores at hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_visits import said, settled

from lastlayer.functions import ratio, softmax
from lastlayer.words.claims import CLAIMS
from lastlayer.words.numbers import short

pytestmark = pytest.mark.browser

PRESETS = ([1, 0.5], [1, 2], [10, 20], [4, 3, 2])


def test_the_strip_prints_the_library_s_numbers(visit: Any) -> None:
    for scores in PRESETS:
        page = visit(f"#s={','.join(map(str, scores))}&reveal=1")
        top = scores.index(max(scores))
        for mapping in (softmax, ratio):
            assert short(mapping([float(v) for v in scores])[top]) in said(page, 1)


def test_a_bar_is_dragged_below_zero_and_the_ratio_has_no_answer(visit: Any) -> None:
    page = visit("#reveal=1")
    well = page.locator(".well").nth(1)
    well.scroll_into_view_if_needed()
    box = well.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.95, steps=8)
    page.mouse.up()
    settled(page)
    assert page.evaluate("LL.state.scores[1]") < 0
    assert "no answer" in said(page, 1)
    assert "a score is negative" in page.get_attribute(
        "#results svg", "aria-label"
    ) or "no answer" in page.get_attribute("#results svg", "aria-label")
    page.click("#undo")
    settled(page)
    assert page.evaluate("LL.state.scores") == [1, 0.5]


def test_scores_are_pasted_and_typed(visit: Any) -> None:
    page = visit()
    page.fill("#paste", "[1, .5, −2]")
    page.press("#paste", "Enter")
    settled(page)
    assert page.evaluate("LL.state.scores") == [1, 0.5, -2]
    page.fill(".column:nth-child(1) [type=text]", "3.25")
    page.press(".column:nth-child(1) [type=text]", "Enter")
    settled(page)
    assert page.evaluate("LL.state.scores") == [3.25, 0.5, -2]
    page.fill("#paste", "one two")
    page.press("#paste", "Enter")
    assert "no list" in page.inner_text("#paste-wrong")
    assert page.evaluate("LL.state.scores") == [3.25, 0.5, -2]


def test_nothing_is_given_away_before_a_guess(visit: Any) -> None:
    page = visit()
    assert page.locator("[data-say]:visible").count() == 0
    assert ".62" not in page.inner_text("#strip")
    page.click("#scene-1 [data-guess=softmax]")
    assert said(page, 1).startswith("Not here. Softmax gives class 0 0.6225, the ratio 0.6667")
    assert ".62" in page.text_content("#strip")
    assert page.locator("[data-say]:visible").count() == 1


def test_the_answers_at_the_question_s_scores(visit: Any) -> None:
    page = visit("#reveal=1")
    assert "1.386" in said(page, 2)
    assert "the ratio says 0.6667. Softmax says 0.6225 wherever" in said(page, 3)
    assert "1.33, −0.67, 0.33" in said(page, 4)
    assert "Only the exponential" in said(page, 5)
    assert "1.4741 − 0.5 = 0.9741" in said(page, 6)
    assert "Two steps take the ratio to [−0.13, 1.92], where it has no answer" in said(page, 7)
    assert "which" in said(page, 8)
    assert re.search(r"On digits .* softmax is right 96\.8\s%.*the ratio 82\.2\s%", said(page, 9))


def test_the_sliders_move_the_numbers_in_the_sentences(visit: Any) -> None:
    page = visit("#v=1&s=1,0.5&y=1&k=1&c=2&reveal=1")
    assert short(softmax([10.0, 5.0])[0]) in said(page, 2)
    assert short(ratio([3.0, 2.5])[0]) in said(page, 3)
    page.locator("#scene-3 [data-state=shift]").focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.evaluate("LL.state.shift") == pytest.approx(2.05)
    assert short(ratio([3.05, 2.55])[0]) in said(page, 3)


def test_steps_of_gradient_descent(visit: Any) -> None:
    page = visit("#reveal=1&rate=0.25")
    fallen = said(page, 7)
    assert fallen.startswith("7 steps of size 0.25 take the ratio to [−0.15, 1.25], where it has no answer.")
    assert fallen.endswith("Press Step to see it.")
    page.click("#ten")
    assert page.inner_text("[data-words=ratio]") == "[−0.15, 1.25]: no answer after 7 steps."
    assert said(page, 7).endswith("never with more than 1.")
    page.click("#reset")
    assert page.inner_text("[data-words=softmax]").startswith("[1.00, 0.50]: loss 0.974, slope at x₁ −0.622")


def test_steps_are_taken_by_hand_also_before_a_guess(visit: Any) -> None:
    page = visit()
    page.click("#step")
    assert page.inner_text("[data-words=ratio]") == "[0.33, 1.83]"
    assert page.locator("#scene-7 [data-say]:visible").count() == 0
    page.click("#reset")
    page.click("#scene-7 [data-guess=never]")
    settled(page)
    assert said(page, 7).startswith("Sooner. Two steps take the ratio to [−0.13, 1.92], where it has no answer.")
    assert page.inner_text("[data-words=ratio]").startswith("[1.00, 0.50]: loss 1.1")


@pytest.mark.parametrize(
    ("hash_", "takeaway", "words"),
    [
        ("#s=1,0&y=1", "The ratio gives the true class 0: its loss is infinite to begin with.", "loss ∞"),
        ("#s=1000,0&y=0", "One step takes the ratio to [1000, −0.001], where it has no answer.", "loss 0"),
        ("#s=2,-1,0.5&y=0", "The ratio has no answer to begin with.", "no answer"),
        ("#s=3", "The ratio has nothing to learn here.", "slope 0"),
    ],
)
def test_no_answer_is_not_an_infinite_loss(visit: Any, hash_: str, takeaway: str, words: str) -> None:
    page = visit(f"{hash_}&reveal=1")
    assert said(page, 7).startswith(takeaway)
    assert words in page.inner_text("[data-words=ratio]")


@pytest.mark.parametrize(
    ("scores", "asked", "right", "takeaway"),
    [
        ("1,0.5", "[2, −1, 0.5]? class 1, with its −1,", "negative", "Dividing by the sum gives 1.33, −0.67, 0.33."),
        ("1,-1", "[1, −1]? class 1, with its −1,", "", "[1, −1] sum to 0"),
        ("0,0", "[0, 0]? class 0, with its 0,", "", "[0, 0] sum to 0"),
        ("-1,-2", "[−1, −2]? class 1, with its −2,", "most", "in the reverse order: the smallest score gets the most"),
        (
            "-1,-1",
            "[−1, −1]? class 0, with its −1,",
            "",
            "Dividing by −2 leaves no share negative: 0.50, 0.50, as if nothing",
        ),
        ("0,-3", "[0, −3]? class 1, with its −3,", "most", "in the reverse order"),
    ],
)
def test_the_division_is_asked_about_the_scores_at_hand(
    visit: Any, scores: str, asked: str, right: str, takeaway: str
) -> None:
    for hash_ in (f"#s={scores}", f"#s={scores}&reveal=1"):
        page = visit(hash_)
        question, words = (page.inner_text(f"#scene-4 [{name}]") for name in ("data-broken", "data-asked"))
        assert f"{question}? {words}" == asked
    assert page.locator("#scene-4 .right").evaluate_all("list => list.map(e => e.dataset.guess)") == (
        [right] if right else []
    )
    assert takeaway in said(page, 4)


def test_max_is_asked_about_all_classes(visit: Any) -> None:
    page = visit("#s=4,3,2&reveal=1")
    p = softmax([4.0, 3.0, 2.0])[0]
    assert f"softmax has {short(p * (1 - p), 3)}." in said(page, 8)
    page = visit("#s=4,3,7&reveal=1")
    assert page.inner_text("#scene-8 [data-other]") == "x2"
    assert said(page, 8).startswith("Here max has the slope 0")


def test_a_name_is_said_as_in_a_sentence_and_less_than_one_is_not_one(visit: Any) -> None:
    assert "the ratio is the more certain of the two" in said(visit("#s=1,0.5&reveal=1"), 1)
    takeaway = said(visit("#s=20,10&reveal=1"), 1)
    assert "Softmax gives class 0 1.0000, the ratio 0.6667: softmax is the more certain of the two" in takeaway


def test_no_colour_of_a_mapping_means_anything_else(visit: Any) -> None:
    """max, log Σ eˣ and a chosen g are no mappings."""
    page = visit("#s=1,0.5&g=abs&reveal=1")
    for place in ("#scene-5", "#scene-6", "#scene-8 .panel:first-child"):
        drawn = page.locator(f"{place} svg[role=img]").first.inner_html()
        assert "--neutral" in drawn
        assert set(re.findall(r"--hue(\d)", drawn)) <= {"0"}, place


def test_the_page_offers_its_functions(visit: Any) -> None:
    answers = visit().evaluate(
        """[lastlayer.probabilities('ratio', [1, -1]), lastlayer.probabilities('softmax', [0, 0]), lastlayer.loss('ratio', [-1, 2], 0),
        lastlayer.claims([1, 0.5]).map(claim => claim.name)]"""
    )
    assert answers == [None, [0.5, 0.5], None, [claim.name for claim in CLAIMS]]


def test_one_class_has_nothing_to_pass(visit: Any) -> None:
    page = visit("#s=5&reveal=1")
    assert said(page, 8).startswith("Here max has the slope 1 and the argmax the slope 0; softmax has 0.")


def test_far_scores_are_judged_as_the_claim_does(visit: Any) -> None:
    """Both probabilities print as 1; they agree at scores 2.3e-9 times as large."""
    page = visit("#s=1e10,1&reveal=1")
    assert said(page, 1).endswith("softmax is the more certain of the two, by less than these digits show.")
    assert page.evaluate("LL.claims(LL.state.scores).find(c => c.name === 'sharper').here") == "yes"
    assert "2.303e−9" in said(page, 2)
    assert "e−9" not in page.text_content("#scene-2 [data-fig] svg")


def test_many_scores_are_named_by_the_first(visit: Any) -> None:
    page = visit(f"#s={','.join(['1'] * 49 + ['-2'])}&reveal=1")
    assert len(page.inner_text("#q1")) < 70
    assert len(page.inner_text("#q4")) < 70
    assert "0.02, 0.02, 0.02, 0.02, … They sum" in said(page, 4)


def test_bars_stay_with_colours_of_the_reader_s_own(visit: Any) -> None:
    page = visit(forced_colors="active")
    paper, fill, grip = page.evaluate(
        "[document.body, document.querySelector('.fill'), document.querySelector('.grip')].map(e => getComputedStyle(e).backgroundColor)"
    )
    assert paper not in (fill, grip)
    assert page.evaluate("getComputedStyle(document.querySelector('.well')).borderTopStyle") == "solid"
