"""The FAQ answers the original questions and judges every claim as the command does, in a few lines, with a link that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from links import PLAYGROUND_KEYS

from lastlayer.cli import app
from lastlayer.mappings import MAPPINGS
from lastlayer.words.claims import CLAIMS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "faq.md").read_text(encoding="utf-8")
ANSWERS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", TEXT, flags=re.DOTALL | re.MULTILINE))
#: What the people asked with whom it all began.
ASKED = (
    "Why softmax, and not just divide by the sum?",
    "Is it because of negative numbers?",
    "What if the scores sum to zero?",
    "What is the benefit of the odder way?",
    "Is the ratio not differentiable, too?",
    "Why is max not differentiable?",
    "Does the logarithm make it easy, and for two classes too?",
    "Does it really make a difference?",
)
VERDICTS = {"true": "**True", "false": "**False", "half true": "**Half true", "depends": "**It depends"}
LINK = re.compile(r"\]\(((?:\.\./)?explore\.html)#([^)]*)\)")
PAGES = sorted(DOCS.glob("*.md")) + sorted((DOCS / "learn").glob("*.md"))
LINKS = [(page, state) for page in PAGES for _, state in LINK.findall(page.read_text(encoding="utf-8"))]
#: Three lines of the site at 1280 pixels.
MOST_CHARACTERS = 275
COMMANDS = sorted(set(re.findall(r"`lastlayer (compare [^`]*)`", TEXT)))


@pytest.mark.parametrize("question", ASKED)
def test_the_original_questions_are_answered(question):
    assert question in ANSWERS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_is_judged_as_the_command_does(claim):
    said = [answer for answer in ANSWERS.values() if f"*“{claim.claim}.”*" in answer]
    assert len(said) == 1
    assert f"*“{claim.claim}.”* {VERDICTS[claim.in_general]}" in said[0]
    assert f"`lastlayer compare {' '.join(f'{score:g}' for score in claim.shown_by)}" in said[0]


@pytest.mark.parametrize("question", ANSWERS)
def test_an_answer_is_short_and_shows_something(question):
    answer = ANSWERS[question]
    assert re.search(r"\]\(explore\.html#|`lastlayer |glossary\.md#", answer)
    words = " ".join(re.sub(r"\n(?:\[Show me\]|\*“|`lastlayer).*", "", answer).split())
    assert len(re.sub(r"\]\([^)]*\)|[*`\[\]]", "", words)) <= MOST_CHARACTERS


def test_a_link_shows_the_answer():
    """Not the question once more."""
    shown = re.findall(r"\[Show me\]\(explore\.html#([^)]*)\)", TEXT)
    assert len(shown) > 15
    assert not [state for state in shown if "scene=lab" not in state and "reveal=1" not in state.split("&")]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command):
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("page", "state"), LINKS)
def test_links_into_the_page_have_a_state_that_it_knows(page, state):
    if state in ("lab", "claims"):
        return
    keys = dict(part.split("=") for part in state.split("&"))
    assert set(keys) <= PLAYGROUND_KEYS
    assert all(float(score) == float(score) for score in keys.get("s", "1").split(","))
    assert keys.get("scene", "1") in {*"123456789", "lab", "claims"}
    assert keys.get("ui", "") in {"", "present", "embed"}
    assert keys.get("reveal", "0") in {"0", "1"}
    assert set(filter(None, keys.get("m", "").split(","))) <= set(MAPPINGS)
    assert 0 <= int(keys.get("y", 0)) < len(keys.get("s", "1,0.5").split(","))


def test_there_are_links_for_every_scene():
    shown = {re.search(r"scene=(\w+)", state)[1] for _, state in LINKS if "scene=" in state}
    assert set("123456789") <= shown
