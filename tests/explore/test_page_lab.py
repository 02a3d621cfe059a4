"""The lab of the page: its numbers are those of `lastlayer compare --json`, and the keyboard reaches it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_lab import ALL, STATES, by_name, compared
from page_rows import ON_PAGE

from lastlayer.words.claims import CLAIMS
from lastlayer.words.numbers import short

pytestmark = pytest.mark.browser

CLAIM_TEXTS = """() => Object.fromEntries([...document.querySelectorAll(".lab-claim")].map(row =>
  [row.dataset.claim, ["h4", ".lab-here", ".lab-general", ".lab-evidence"].map(part => row.querySelector(part).textContent)]))"""
#: Draw what was asked for, also what is out of view.
ALL_DRAWN = "LL.redraw(); dispatchEvent(new Event('beforeprint'))"
CELLS = """() => [...document.querySelectorAll(".lab-table td[data-what]")].map(cell =>
  [cell.dataset.mapping, cell.dataset.what, cell.dataset.class, cell.textContent])"""


def shown(value: Any) -> str:
    """A number of the JSON as the page prints it."""
    if value is None:
        return "–"
    return short(float(value)).replace("-", "−").replace("inf", "∞")


@pytest.mark.parametrize("state", STATES)
def test_the_lab_says_what_the_command_says(lab: Any, state: str) -> None:
    """Every number of the table, every verdict with its numbers, and the command to copy."""
    answer, page = compared(STATES[state]), lab(state)
    cells = {tuple(cell[:3]): cell[3] for cell in page.evaluate(CELLS)}
    assert cells == expected_cells(answer, int(STATES[state][STATES[state].index("--label") + 1]))
    assert [claim["name"] for claim in answer["claims"]] == [claim.name for claim in CLAIMS]
    rows = page.evaluate(CLAIM_TEXTS)
    for claim in answer["claims"]:
        title, here, general, evidence = rows[claim["name"]]
        assert title == claim["claim"]
        assert here.endswith(claim["here"])
        assert claim["in_general"] in general
        expected = re.sub(r" Difference quotients.*$", "", claim["evidence"])
        assert typed(evidence) == typed(expected)
    command = page.evaluate("LL.COPIES.Command(LL.state)").split()
    assert command[:2] == ["lastlayer", "compare"]
    assert by_name(compared(command[2:])) == by_name(answer)


def typed(text: str) -> str:
    """Text without what typesetting adds or takes away: a raised power, a typeset minus, infinity."""
    return re.sub(r"[\^_*() ]", "", text.replace("−", "-").replace("∞", "inf"))


def expected_cells(answer: dict[str, Any], label: int) -> dict[tuple[str, str, str], str]:
    """The cells of the table by mapping, quantity and class."""
    cells = {}
    for mapping in answer["mappings"]:
        name = mapping["name"].split(":")[0]
        if not mapping["defined"]:
            continue
        cells[name, "loss", ""] = shown(mapping["losses"][label])
        for i, p in enumerate(mapping["probabilities"]):
            cells[name, "probability", str(i)] = shown(p)
            cells[name, "gradient", str(i)] = shown(mapping["gradient"][i])
    return cells


def test_many_classes_show_the_largest_and_the_true_one(lab: Any) -> None:
    page = lab(f"s={','.join(str(i % 7) for i in range(50))}&y=49&m=softmax")
    columns = page.locator(".lab-table thead tr:last-child th[data-class]")
    classes = {int(columns.nth(i).get_attribute("data-class")) for i in range(columns.count())}
    assert {6, 13, 20, 27, 34, 41, 48, 49} <= classes
    assert len(classes) == 10
    page.get_by_label("every class in the table").check()
    assert page.locator(".lab-table tbody td").count() == 101


def test_dials_by_keyboard_and_by_number(lab: Any) -> None:
    page = lab("s=1,0.5")
    page.locator("#lab-temperature").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("LL.state.parameters.temperature") == pytest.approx(1.02)
    page.get_by_label("Temperature, exact").fill("0.25")
    page.keyboard.press("Tab")
    assert page.evaluate("LL.state.parameters") == {"temperature": 0.25}
    page.get_by_label("Softcap, exact").fill("-1")
    page.keyboard.press("Tab")
    assert page.get_by_role("alert").inner_text() == "A number from 0.001 to 100000, please."
    assert page.get_by_label("Softcap, exact").input_value() == ""
    assert page.evaluate("LL.state.parameters") == {"temperature": 0.25}
    page.get_by_role("button", name="Reset the dials").click()
    assert page.evaluate("LL.state.parameters") == {}


def test_mappings_can_be_ticked(lab: Any) -> None:
    page = lab("s=1,0.5&m=softmax,ratio")
    page.get_by_label("sparsemax", exact=True).check()
    page.get_by_label("ratio", exact=True).uncheck()
    assert page.evaluate("LL.state.mappings") == ["softmax", "sparsemax"]
    page.evaluate(ALL_DRAWN)
    assert page.locator(".lab-table tbody tr").count() == 2
    page.get_by_label("softmax", exact=True).uncheck()
    page.get_by_label("sparsemax", exact=True).uncheck()
    page.evaluate(ALL_DRAWN)
    assert page.locator(".lab-table tbody tr").count() == 0
    page.get_by_role("button", name="All mappings").click()
    page.evaluate(ALL_DRAWN)
    assert page.locator(".lab-table tbody tr").count() == len(ON_PAGE)


def test_pointing_at_a_number_shows_its_bar(lab: Any) -> None:
    page = lab("s=2,0.5,1&m=softmax,ratio")
    page.locator('td[data-mapping="ratio"][data-what="probability"][data-class="2"]').hover()
    hot = page.locator(".lab-bars [data-class].hottest")
    assert hot.count() == 1
    assert hot.get_attribute("data-class") == "2"
    assert page.locator(".lab-bars [data-class].hot").count() == 2
    page.mouse.move(1, 1)
    assert page.locator(".hot").count() == 0


def test_the_point_of_the_triangle(lab: Any) -> None:
    """The scores follow the point, by hand and by keyboard, also through softcap and temperature."""
    for more in ("", "&t=0.5", "&cap=4"):
        page = lab(f"s=2,0.5,1&m=softmax{more}")
        before = page.evaluate("LL.state.scores")
        grip = page.locator(".lab-handle")
        page.locator(".lab-simplex svg").evaluate("drawing => drawing.scrollIntoView({ block: 'center' })")
        box, frame = grip.bounding_box(), page.locator(".lab-triangle").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] * 2 / 3, steps=4)
        page.mouse.up()
        p = page.evaluate("lastlayer.probabilities('softmax', LL.state.scores, LL.state.parameters)")
        assert p == pytest.approx([1 / 3] * 3, abs=0.03)
        assert page.evaluate("LL.state.scores") != before
        page.keyboard.press("ArrowUp")
        moved = page.evaluate("lastlayer.probabilities('softmax', LL.state.scores, LL.state.parameters)")
        assert moved[2] > p[2] + 0.01
    assert lab("s=1,0.5").get_by_role("button", name="Take [2, 0.5, 1]").is_visible()


def test_try_shows_a_claim(lab: Any) -> None:
    page = lab("s=1,0.5")
    row = page.locator("#claim-negative_scores")
    assert "not tested" in row.locator(".lab-here").inner_text()
    row.get_by_role("button").click()
    page.evaluate(ALL_DRAWN)
    assert "yes" in row.locator(".lab-here").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_page(browser: Any, path: Path, width: int, scheme: str) -> None:
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    for state in (f"s=2,0.5,1&m={ALL}&cap=2", f"s={','.join(str(i % 7) for i in range(50))}&m={ALL}"):
        page.goto("about:blank")
        page.goto(f"{path.as_uri()}#v=1&{state}&scene=lab")
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_targets_are_large_enough_for_a_finger(lab: Any) -> None:
    page = lab(f"s=2,0.5,1&m={ALL}", width=360)
    small = page.evaluate(
        """() => [...document.querySelectorAll("#lab button, #lab .lab-tick, #lab select, #lab input:not([type=checkbox]), #lab summary")]
          .filter(e => e.offsetParent && !e.hidden).filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)"""
    )
    assert small == []


@pytest.mark.parametrize("place", ["lab", "claims", "claim-shift"])
def test_a_link_arrives(browser: Any, path: Path, place: str) -> None:
    page = browser.new_page()
    page.goto(f"{path.as_uri()}#v=1&s=4,3,2&scene={place}")
    page.wait_for_selector("html[data-ready]", state="attached")
    # The watcher of the scroll has had its say.
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    assert page.evaluate("LL.state.scene") == place
    strip = page.locator("#strip").bounding_box()
    top = page.locator(f"#{place}").bounding_box()["y"]
    assert strip["y"] + strip["height"] - 20 <= top < 300
    page.close()
