"""The page in a real browser, from a file: quiet, within its window, played by mouse and by keyboard alone."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_browser import opened_browser, written_page

from lastlayer.functions import ratio, softmax
from lastlayer.words.numbers import short

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_page(tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Any, path: Path) -> Iterator[Any]:
    """Opens the page at a hash; afterwards nothing may have been said on the console, and nothing requested but the file."""
    contexts, messages, requests = [], [], []

    def opened(hash_: str = "", width: int = 1280, height: int = 800, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url.split("#")[0]))
        page.goto(path.as_uri() + hash_)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert messages == []
    assert set(requests) <= {path.as_uri(), "data:,"}


def settled(page: Any) -> None:
    """Wait until what was asked for is drawn, and in the address."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("LL.saveHash()")


def said(page: Any, scene: int) -> str:
    """The takeaway of a question."""
    return str(page.inner_text(f"#scene-{scene} [data-say]"))


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


# ---- the state in the address

NUMBERS = (0.0, 1.0, -1.0, 0.5, 1e-7, 1e300, -2.5, 1000.0, 0.1 + 0.2)


def states() -> list[dict[str, Any]]:
    """Random states, with every key that the address has."""
    draw = random.Random(0)
    found = []
    for _ in range(300):
        scores = [draw.choice([*NUMBERS, draw.gauss(0, 3)]) for _ in range(draw.randint(1, 8))]
        parameters = {
            "alpha": draw.choice([1.0, 1.3, 2.0]),
            "temperature": draw.choice([0.5, 1e-3]),
            "softcap": 30.0,
            "order": 4,
        }
        found.append(
            {
                "scores": scores,
                "label": draw.randrange(len(scores)),
                "scale": draw.choice([0, 0.14, -1, 3]),
                "shift": draw.choice([0, 0.25, -2000]),
                "mappings": draw.choice([["softmax", "ratio"], ["sparsemax", "entmax:alpha=1.3"]]),
                "scene": draw.choice(["0", "3", "9", "lab", "claims", "claim-shift"]),
                "reveal": draw.choice([None, 0, 1]),
                "seen": sorted(draw.sample(range(1, 10), draw.randint(0, 9))),
                "ui": draw.choice(["", "present", "embed"]),
                "g": draw.choice(["", "abs", "exp"]),
                "rate": draw.choice([1, 0.05, 2.5]),
                "parameters": {key: parameters[key] for key in draw.sample(sorted(parameters), draw.randint(0, 4))},
            }
        )
    return found


def test_state_to_address_to_state_is_the_identity(visit: Any) -> None:
    drawn = states()
    there_and_back = visit().evaluate(
        "list => list.map(state => { const hash = LL.formatHash(state); return [hash, LL.parseHash(hash), LL.formatHash(LL.parseHash(hash))]; })",
        drawn,
    )
    for state, (hash_, read, again) in zip(drawn, there_and_back, strict=True):
        assert read == state
        assert again == hash_
        assert re.fullmatch(r"#[\w=&,.:-]+", hash_)


def test_an_address_in_the_window_is_kept(visit: Any) -> None:
    hash_ = "#v=1&s=2,-1,0.5&y=2&k=0.14&c=0.25&m=softmax,sparsemax&seen=2,4&g=abs&rate=0.5&a=1.3&t=2"
    page = visit(hash_)
    settled(page)
    assert page.evaluate("location.hash") == hash_
    assert page.input_value(".column:nth-child(2) [type=text]") == "−1"


@pytest.mark.parametrize(
    "hash_",
    ["#nonsense", "#s=a,b&y=x&k=1e9&scene=77&ui=root&m=%3Cscript%3E", "#s=&y=-1&t=0&a=0", "#s=Infinity", "#%E0%A4%A"],
)
def test_an_address_that_makes_no_sense_is_ignored(visit: Any, hash_: str) -> None:
    page = visit(hash_)
    state = page.evaluate("LL.state")
    assert (state["scores"], state["label"], state["scale"], state["scene"]) == ([1, 0.5], 1, 0, "0")
    assert state["parameters"] == {}


def test_a_place_in_the_address_is_scrolled_to(visit: Any) -> None:
    for hash_, place in {
        "#scene=5": "#scene-5",
        "#scene-8": "#scene-8",
        "#lab": "#lab",
        "#claim-shift": "#claim-shift",
    }.items():
        top, bottom = visit(hash_).evaluate(
            f"(({{top, bottom}}) => [top, bottom])(document.querySelector('{place}').getBoundingClientRect())"
        )
        assert top < 400, hash_
        assert bottom > 0, hash_


# ---- playing

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
    assert "After 2 steps the ratio still has an answer" in said(page, 7)
    page.click("#ten")
    assert "where it has no answer" in said(page, 7)
    page.click("#reset")
    assert page.inner_text("[data-words=softmax]").startswith("[1.00, 0.50]: loss 0.974")


def test_a_page_that_is_handed_out_is_unanswered(visit: Any) -> None:
    page = visit("#reveal=0")
    assert not page.evaluate("document.getElementById('answer').open")
    assert page.locator("[data-say]:visible, #lab:visible").count() == 0
    page.emulate_media(media="print")
    settled(page)
    assert page.locator("[data-say]:visible, .answer:visible").count() == 0


def test_on_paper_everything_is_answered_and_folded_parts_are_open(visit: Any, tmp_path: Path) -> None:
    page = visit("", 680, 1000, color_scheme="dark")
    page.emulate_media(media="print")
    settled(page)
    assert page.locator("[data-say]:visible").count() == 9
    assert page.evaluate("[...document.querySelectorAll('.scene')].every(e => e.getBoundingClientRect().height < 990)")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#strip:visible, .contents:visible").count() == 0
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert (tmp_path / "page.pdf").stat().st_size > 20_000


# ---- the keyboard


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


def test_a_lecture_is_driven_by_keys(visit: Any) -> None:
    page = visit("", 1280, 720)
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
        size = page.evaluate(
            f"parseFloat(getComputedStyle(document.querySelector('#scene-{scene} [data-say]')).fontSize)"
        )
        assert size >= 28
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


def test_an_order_is_made_with_the_keyboard(visit: Any) -> None:
    page = visit()
    page.focus("#order [data-name=ratio] [data-move='1']")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.click("#scene-9 [data-show]")
    assert said(page, 9).startswith("Right.")


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


def test_the_page_offers_its_functions(visit: Any) -> None:
    answers = visit().evaluate(
        """[lastlayer.probabilities('ratio', [1, -1]), lastlayer.probabilities('softmax', [0, 0]), lastlayer.loss('ratio', [-1, 2], 0),
        lastlayer.claims([1, 0.5]).map(claim => claim.name)]"""
    )
    assert answers[:3] == [None, [0.5, 0.5], None]
    assert len(json.dumps(answers[3])) > 100
