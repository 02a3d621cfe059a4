"""The page's address: what makes no sense is ignored, what is out of range too, and every state survives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_visits import visits

from lastlayer.explore.page import PageState, build
from lastlayer.explore.ranges import RANGES

pytestmark = pytest.mark.browser

#: Keys of every object in JavaScript, names that are no key, numbers out of range.
IGNORED = (
    "#v=1&__proto__=1",
    "#v=1&__defineGetter__=1&constructor=1&toString=1",
    "#g=constructor&scene=5&reveal=1",
    "#g=toString&reveal=1",
    "#a=1e300&t=1e-9&cap=1e300&o=3&reveal=1",
    "#k=4&c=1e301&rate=1e-9&reveal=1",
    "#s=9e307,1&reveal=1",
    "#s=1e308,-1e308&reveal=1",
    "#s=0x10,1&reveal=1",
)
#: The edges of the ranges.
EDGES = (
    "#s=0,0&reveal=1",
    "#s=0,0,0&g=relu&reveal=1&t=0.5",
    "#s=1e300,-1e300&reveal=1",
    "#s=1e300,1e300,1e300&t=0.001&k=3&c=1e300&reveal=1",
    "#s=-1e300,0,1e300&cap=3&c=-1e300&reveal=1",
    "#s=5e-324,0&reveal=1",
    "#s=1e-300,2e-300&t=1000&k=-3&reveal=1",
    "#s=1,-0.9999999999999&reveal=1",
)


@pytest.mark.parametrize("hash_", IGNORED)
def test_what_makes_no_sense_is_ignored(visit: Any, hash_: str) -> None:
    state = visit(hash_).evaluate("LL.state")
    assert (state["scores"], state["label"], state["parameters"]) == ([1, 0.5], 1, {})
    assert (state["g"], state["scale"], state["shift"], state["rate"]) == ("", 0, 0, 1)


@pytest.mark.parametrize("hash_", EDGES)
def test_the_edges_of_the_ranges_can_be_drawn(visit: Any, hash_: str) -> None:
    page = visit(hash_)
    assert page.evaluate("LL.state.scores") == [float(v) for v in hash_.split("&")[0][3:].split(",")]
    text = page.inner_text("#scenes") + page.inner_text("#strip")
    assert "NaN" not in text
    assert "undefined" not in text


def test_what_cannot_be_drawn_leaves_the_page_as_it_was_written(browser: Any, path: Path) -> None:
    page = browser.new_page()
    # As an address would that gets past the checks: a scene that throws for two scores.
    page.add_init_script(
        "let real = { }; window.LL = { get reached() { return real.f; }, set reached(f) { real.f = state => {"
        " if (state.scores[0] === 4) throw new Error('no'); return f(state); }; } };"
    )
    html = path.read_text(encoding="utf-8").replace("window.LL = { START:", "Object.assign(window.LL, { START:")
    changed = path.with_name("changed.html")
    changed.write_text(re.sub(r"(START: \{.*\}) \};", r"\1 });", html), encoding="utf-8")
    page.goto(changed.as_uri() + "#s=4,3,2&reveal=1")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("LL.state.scores") == [1, 0.5]
    page.close()


def test_scores_of_zero_have_no_shares(visit: Any) -> None:
    said = visit("#s=0,0&reveal=1").inner_text("#scene-4 [data-say]")
    assert "sum to 0" in said
    assert "–" not in said


def test_a_sum_that_is_nearly_zero_is_none(visit: Any) -> None:
    """Strip, questions and claims have one rule."""
    page = visit("#s=1,-0.9999999999999&reveal=1")
    assert "sum to 0" not in page.inner_text("#scene-4 [data-say]")
    assert page.evaluate("LL.whyNot(LL.state.scores)") == "no answer: a score is negative"
    assert "not tested" in page.locator("#claim-zero_sum .lab-here").text_content()
    page = visit("#s=0.1,0.2,-0.3&reveal=1")
    assert "sum to 0" in page.inner_text("#scene-4 [data-say]")
    assert page.evaluate("LL.whyNot(LL.state.scores)") == "division by zero"
    assert "yes" in page.locator("#claim-zero_sum .lab-here").text_content()


def test_one_table_of_ranges(visit: Any) -> None:
    """The address, the dials, the functions and Python take the same numbers."""
    page = visit()
    keys = {"temperature": "t", "softcap": "cap", "alpha": "a", "order": "o"}
    for name, key in keys.items():
        field = page.locator(f"#lab-{name} ~ input[type=text], .lab-dial:has(#lab-{name}) input[type=text]").first
        for value in (RANGES[name].least, RANGES[name].most, RANGES[name].least / 2, RANGES[name].most * 2 + 2):
            inside = value in RANGES[name]
            read = page.evaluate("hash => LL.parseHash(hash).parameters", f"#{key}={value}")
            assert read == ({name: value} if inside else {}), (name, value)
            field.fill(str(value))
            field.dispatch_event("change")
            assert field.get_attribute("aria-invalid") == str(not inside).lower(), (name, value)
            call = f"(() => {{ try {{ return lastlayer.probabilities('entmax', [1, 2], {{{name}: {value}}}) }} catch {{ return false }} }})()"
            assert bool(page.evaluate(call)) == inside, (name, value)
            try:
                PageState(parameters={name: value})
            except ValueError:
                assert not inside, (name, value)
            else:
                assert inside, (name, value)


def test_a_page_that_was_written_with_dials_keeps_what_is_set(browser: Any, tmp_path: Path) -> None:
    """Also where a dial is taken back: the file's own temperature must not return with the address."""
    file = tmp_path / "page.html"
    start = PageState((2.0, -1.0, 0.5), 0, {"temperature": 0.5, "softcap": 3.0}, ("softmax", "sparsemax"))
    file.write_text(build(start), encoding="utf-8")
    with visits(browser, file) as visit:
        page = visit()
        states = [
            {"parameters": {}},
            {"parameters": {"temperature": 2}},
            {"parameters": {"softcap": 3, "alpha": 1.3}, "mappings": ["softmax", "ratio"]},
            {"scores": [1, 0.5], "label": 1, "parameters": {}, "seen": [2], "reveal": 0},
        ]
        for change in states:
            state, hash_ = page.evaluate(
                "change => { const state = { ...LL.state, ...change }; return [state, LL.formatHash(state)]; }", change
            )
            assert page.evaluate("hash => LL.parseHash(hash)", hash_) == state, hash_
        page.get_by_role("button", name="Reset the dials").click()
        page.evaluate("LL.redraw(); LL.saveHash()")
        page.reload()
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.evaluate("LL.state.parameters") == {}
