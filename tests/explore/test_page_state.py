"""The page's state in its address, and the place that an address names."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from page_visits import settled

pytestmark = pytest.mark.browser

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


def test_the_place_in_the_address_is_kept_until_somebody_scrolls(visit: Any) -> None:
    for scene in ("3", "9", "lab", "claims"):
        page = visit(f"#v=1&s=4,3,2&y=2&scene={scene}")
        # The watcher of the scroll has had its say.
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
        assert page.evaluate("LL.state.scene") == scene
    page.mouse.move(600, 700)
    page.mouse.wheel(0, 1)
    page.evaluate("scrollBy(0, document.getElementById('scene-4').getBoundingClientRect().top - innerHeight / 4)")
    page.locator(".contents a[data-scene='4'][aria-current]").wait_for(state="attached")


def test_a_frame_without_an_address_works(visit: Any, path: Path) -> None:
    """As in a notebook, whose frame has its page inside an attribute."""
    page = visit()
    page.evaluate(
        """text => { const frame = document.createElement('iframe'); frame.srcdoc = text; frame.style.cssText = 'width: 900px; height: 600px';
        document.body.prepend(frame); }""",
        path.read_text(encoding="utf-8"),
    )
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    frame.locator("#scene-1 [data-guess=ratio]").click()
    assert "0.6667" in frame.locator("#scene-1 [data-say]").inner_text()
    # Its state is written to no address, which throws nothing.
    page.frames[1].evaluate("LL.redraw(); LL.saveHash()")
