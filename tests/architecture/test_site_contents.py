"""The documents have what every entrance promises: the plans of a lesson, the words of the glossary, README's examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lastlayer.cli import app

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TEACH = (ROOT / "docs" / "teach.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = (
    *("Logit", "Score", "Softmax", "Ratio", "Log loss", "Cross-entropy", "Brier score", "Calibration", "ECE", "ULP"),
    *("Holm", "Support", "Simplex", "Fenchel–Young", "Softcap", "z-loss", "Temperature", "Power"),
)


def sections(text: str) -> dict[str, str]:
    """Heading of the second level → what is below it."""
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_has_the_word(word):
    assert any(heading.startswith(word) for heading in sections(GLOSSARY)), word


@pytest.mark.parametrize("plan", ["Ten minutes", "Forty-five minutes"])
def test_a_plan_has_rows_with_minutes(plan):
    rows = re.findall(r"^\| *\d+(?:[-–]\d+)? *\|", sections(TEACH)[plan], re.MULTILINE)
    assert len(rows) >= 4


def test_exercises_have_solutions():
    assert sections(TEACH)["Exercises"].lower().count("solution") >= 4


def test_help_leads_to_the_glossary():
    printed = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    path = re.search(r"explained in (\S+\.md)", printed)
    assert path is not None
    assert (ROOT / path[1]).exists()


@pytest.mark.parametrize("heading", ["See", "Choose", "Trust", "Run"])
def test_readme_has_one_example_each(heading):
    blocks = re.findall(r"^```(\w+)\n", sections(README)[heading], re.MULTILINE)
    # What an example prints is in a block of its own.
    assert len([block for block in blocks if block != "text"]) == 1


def test_readme_shows_fifteen_lines_of_compare_and_five_on_speed():
    shown = re.search(r"```console\n\$ lastlayer compare.*?\n(.*?)\n…\n```", README, re.DOTALL)
    assert shown is not None
    assert len(shown[1].splitlines()) == 15
    speed = README.partition("**Speed**")[2].partition("\n## ")[0]
    assert len(re.findall(r"^- ", speed, re.MULTILINE)) == 5
