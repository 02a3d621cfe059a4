"""What strip and questions print at the scores that the page offers: the digits of `lastlayer compare --json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from page_visits import bold_numbers, visits

from lastlayer.cli import app
from lastlayer.comparison.claims import turning_scale
from lastlayer.words.numbers import short

pytestmark = pytest.mark.browser

PRESETS = ([1, 0.5], [1, 2], [10, 20], [2, -1, 0.5], [1, -1], [-1, -2], [4, 3, 2], [1000, 0])
ACTIVATIONS: tuple[dict[str, float], ...] = ({}, {"temperature": 0.5}, {"softcap": 3, "temperature": 2})
KEYS = {"temperature": "t", "softcap": "cap"}
NUMBER = r"-?\d+\.?\d*(?:e-?\d+)?"


@pytest.fixture(scope="module")
def page(browser: Any, path: Path) -> Iterator[Any]:
    with visits(browser, path) as visit:
        yield visit("#reveal=1")


@pytest.fixture(params=[(i, j) for i in range(len(PRESETS)) for j in range(len(ACTIVATIONS))], ids=str)
def answer(request: Any, page: Any) -> dict[str, Any]:
    """What the command says of a preset under an activation; the page shows the same, everything answered."""
    scores, activation = PRESETS[request.param[0]], ACTIVATIONS[request.param[1]]
    more = "".join(f"&{KEYS[name]}={value}" for name, value in activation.items())
    hash_ = f"#s={','.join(map(str, scores))}{more}&reveal=1"
    page.evaluate("hash => { LL.state = LL.parseHash(hash); LL.redraw(); }", hash_)
    options = tuple(part for name, value in activation.items() for part in (f"--{name}", str(value)))
    return compared(tuple(scores), options)


@cache
def compared(scores: tuple[float, ...], options: tuple[str, ...]) -> dict[str, Any]:
    label = scores.index(min(scores))
    arguments = ["compare", *map(str, scores), "--label", str(label), *options, "--mappings", "softmax,ratio", "--json"]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def of(answer: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(mapping for mapping in answer["mappings"] if mapping["name"] == name)
    return found


def share(p: float) -> str:
    """As a bar of the strip has it: .62, <.01, >.99."""
    if p in (0, 1):
        return f"{p:.0f}"
    return "<.01" if p < 0.005 else ">.99" if p >= 0.995 else f"{p:.2f}"[1:]


def chance(p: float) -> str:
    """As a sentence has it: what is less than 1 never reads as 1."""
    return "1.0000" if p < 1 and short(p) == "1" else short(p)


def test_the_presets_are_those_of_the_page(browser: Any, path: Path) -> None:
    with visits(browser, path) as visit:
        page = visit()
        for i, scores in enumerate(PRESETS):
            page.locator("#presets button").nth(i).click()
            assert page.evaluate("LL.state.scores") == scores
        assert page.locator("#presets button").count() == len(PRESETS)


def test_the_strip(page: Any, answer: dict[str, Any]) -> None:
    parts = []
    for name in ("softmax", "ratio"):
        p = of(answer, name)["probabilities"] if of(answer, name)["defined"] else None
        parts.append(f"{name} {' '.join(map(share, p)) if p else 'no answer'}")
    assert page.get_attribute("#results svg", "aria-label") == " · ".join(parts)


def test_the_questions(page: Any, answer: dict[str, Any]) -> None:
    """1 to 3 at the scores as they are, 6 with its logarithm, 7 with loss and slope before the first step."""
    reached = answer["reached"]
    top, label = int(np.argmax(reached)), answer["label"]
    softmax, ratio = of(answer, "softmax"), of(answer, "ratio")
    both = {chance(mapping["probabilities"][top]) for mapping in (softmax, ratio) if mapping["defined"]}
    assert set(bold_numbers(page, 1)) == both
    turn = turning_scale(np.array(reached)) if ratio["defined"] else None
    assert set(bold_numbers(page, 2)) == (both if turn is None else both | {short(turn)})
    assert set(bold_numbers(page, 3)) == both
    logarithm = next(claim for claim in answer["claims"] if claim["name"] == "logarithm")["evidence"]
    told = re.search(r"= (\S+) ([−+]) (\S+) = ([^ =]*\d)", logarithm)
    assert told is not None
    printed = page.locator("#scene-6 [data-say] b").inner_text().replace("−", "-")
    expected = [told[1], told[3] if told[2] == "−" else f"-{told[3]}", told[4]]
    assert [short(float(v)) for v in re.findall(NUMBER, printed.replace("- ", ""))] == [
        short(float(v)) for v in expected
    ]
    page.click("#reset")
    for mapping in (softmax, ratio):
        words = page.inner_text(f"[data-words={mapping['name']}]").replace("−", "-")
        if not mapping["defined"]:
            assert "loss" not in words
            continue
        if mapping["losses"][label] == "inf":
            assert "loss ∞" in words
            continue
        assert f"loss {short(mapping['losses'][label], 3)}" in words
        if any(mapping["gradient"]):
            # The page steps in the scores that reach the mapping; the command's gradient is in those that were given.
            assert words.endswith(short(slope(answer, mapping["name"]), 3))


def slope(answer: dict[str, Any], name: str) -> float:
    """The slope of the loss at the true class, in the scores that reach the mapping."""
    again = compared(tuple(answer["reached"]), ())
    return float(of(again, name)["gradient"][again["label"]])
