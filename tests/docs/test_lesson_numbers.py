"""Every number with two decimals in the lessons, the FAQ and the teacher's page comes from the library or from a recorded study.

SAYINGS holds phrases with placeholders and what fills them. The test fails if only the library or only the text changes, and if a page
has a number of this kind that no phrase explains.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.comparison.claims.sharpness import turning_scale

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("index.md", "faq.md", "teach.md", *(f"learn/{path.name}" for path in sorted((DOCS / "learn").glob("*.md"))))
QUESTION = np.array([1.0, 0.5])
NUMBER = re.compile(r"(?<![\w.])\d*\.\d\d+|\d+(?:\.\d+)? ?%")
#: Numbers that are no results: a version, and what calibration means.
OTHERS = ("Python 3.11", "90 %", "80 %")


def short(value: float, digits: int = 2) -> str:
    """`.62`"""
    return f"{value:.{digits}f}".removeprefix("0")


def pair(values: Any) -> str:
    """`0.62, −0.62`"""
    return ", ".join(f"{value:.2f}" for value in values).replace("-", "−")


def softmax(scores: Any = QUESTION) -> list[str]:
    return [short(p) for p in ll.softmax(scores)]


def ratio(scores: Any = QUESTION) -> list[str]:
    return [short(p) for p in ll.ratio(scores)]


def slope(scores: Any, mapping: str = "softmax") -> np.ndarray:
    """The gradient of the loss in the scores, class 1 true."""
    return np.asarray(ll.loss_and_grad(scores, 1, mapping=mapping)[1])


def two_steps() -> np.ndarray:
    scores = QUESTION
    for _ in range(2):
        scores = scores - slope(scores, "ratio")
    return scores


def plain_shares(scores: Any) -> np.ndarray:
    """x / Σ x, whatever the signs."""
    return np.asarray(scores) / np.sum(scores)


@cache
def studies() -> dict[str, Any]:
    text = (files("lastlayer.explore") / "data" / "studies.json").read_text(encoding="utf-8")
    return {table["name"]: table["mappings"] for table in json.loads(text)["tables"]}


def accuracies(mapping: str) -> list[str]:
    return [
        f"{100 * studies()[name][mapping]['accuracy'][0]:.1f}" for name in ("iris", "wine", "breast_cancer", "digits")
    ]


def turning() -> float:
    return float(turning_scale(QUESTION))


#: (a phrase with placeholders, what fills them). A phrase may occur on any number of pages, but on one at least.
SAYINGS: list[tuple[str, Callable[[], Any]]] = [
    (".621 or .622? .6225, so {} to two digits. The .621 in the original question", lambda: [softmax()[0]]),
    ("hardly: {} and {} against {} and {}", lambda: [*softmax(), *ratio()]),
    ("give the same {} and {}. Softmax takes", ratio),
    ("give the same {} and {}. The scores", softmax),
    ("{} against {}", lambda: [ratio()[0], softmax()[0]]),
    ("{} or {}. Whether", lambda: [softmax()[0], ratio()[0]]),
    ("{:.2f} times", lambda: [turning()]),
    ("crosses it at {:.2f}", lambda: [turning()]),
    ("It is {:.2f}.", lambda: [turning()]),
    ("ln 2 / 0.5 = {:.3f}", lambda: [turning()]),
    ("would give {} and {}: the *smaller*", lambda: [short(p) for p in plain_shares([-1, -1.5])]),
    ("anything from {} to nearly .50", lambda: [short(ll.ratio(QUESTION - 0.5)[0])]),
    ("“probabilities” {}, {} and {}.", lambda: pair(plain_shares([2, -1, 0.5])).split(", ")),
    ("tanh(1, 0.5) is ({})", lambda: [pair(np.tanh(QUESTION))]),
    ("[1, 0.5] gives {}, [2, 1.5] gives {}", lambda: [ratio()[0], ratio(QUESTION + 1)[0]]),
    ("goes from {} to {}, and the ratio stays at {}", lambda: [softmax()[0], softmax(2 * QUESTION)[0], ratio()[0]]),
    ("gives the second class {}, then nearly {}.", lambda: [softmax([1, 2])[1], softmax([10, 20])[1]]),
    ("seriously: {} and {}. ", ratio),
    ("press space: softmax gives {} and {}.", softmax),
    ("the shares {} and {}.", ratio),
    ("gives the same {} and {}.", softmax),
    ("(3 − 1) = {:.2f}.", lambda: [turning_scale(np.array([3.0, 1.0]))]),
    ("certain one: {} against {}.", lambda: [softmax([3, 1])[0], ratio([3, 1])[0]]),
    ("{:.2f} at 0.9, {:.2f} at 0.5, {:.2f} at 0.1", lambda: -np.log([0.9, 0.5, 0.1])),
    ("{:.4f} − 0.5 = {:.4f}", lambda: [ll.logsumexp(QUESTION), ll.loss(QUESTION, 1)]),
    (
        "score of 0.05 has the slope {}; softmax's is {}",
        lambda: [pair([slope([4, 0.05], m)[1]]) for m in ("ratio", "softmax")],
    ),
    (
        "(4, 0.05) it is {}, where softmax has {}",
        lambda: [pair([slope([4, 0.05], m)[1]]) for m in ("ratio", "softmax")],
    ),
    ("lead to ({})", lambda: [pair(two_steps())]),
    ("true it is ({}).", lambda: [pair(slope(QUESTION))]),
    ("right, in % of the test rows", list),
    ("| softmax | {} | {} | {} | {} |", lambda: accuracies("softmax")),
    ("| ratio | {} | {} | {} | {} |", lambda: accuracies("ratio")),
]


def prose(page: str) -> str:
    """A page on one line, without code and the targets of links."""
    text = (DOCS / page).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"`[^`]*`", " ", text).replace("**", "")
    return re.sub(r"\s+", " ", text)


def filled() -> list[str]:
    return [phrase.format(*values()) for phrase, values in SAYINGS]


def test_every_phrase_is_somewhere():
    text = " ".join(map(prose, PAGES))
    missing = [phrase for phrase in filled() if phrase not in text]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_every_number_is_explained(page):
    text = prose(page)
    for known in (*filled(), *OTHERS):
        text = text.replace(known, " ")
    found = [text[max(0, m.start() - 50) : m.end() + 30] for m in NUMBER.finditer(text)]
    assert not found


def test_a_new_number_is_found():
    assert NUMBER.search("the ratio gives .67 here")
    assert NUMBER.search("is right 96.8 % of the time")
    assert not NUMBER.search("[1, 0.5] and [100, 50]")
