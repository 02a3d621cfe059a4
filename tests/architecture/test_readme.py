"""README is short, begins with the short answer, and its examples, and those of the torch page, give the output shown."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lastlayer.words.short_answer import QUESTION, SHORT_ANSWER

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ lastlayer (.*?)\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize(("arguments", "shown"), CONSOLE)
def test_console_output_is_real(arguments, shown):
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-c", "from lastlayer.cli import main; main()", *arguments.split()]
    got = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    lines, wanted = ([line.rstrip() for line in text.splitlines()] for text in (got, shown))
    if wanted[-1] == "…":
        # The rest is left out.
        wanted = wanted[:-1]
        lines = lines[: len(wanted)]
    assert lines == wanted


def test_readme_has_console_output():
    assert CONSOLE


def test_it_has_at_most_700_words():
    assert sum(bool(re.search("[a-z]", word, re.IGNORECASE)) for word in TEXT.split()) <= 700


@pytest.mark.parametrize("path", ["README.md", "docs/index.md"])
def test_the_short_answer_comes_first_with_a_picture(path):
    """The same words at every entrance, on the first screen."""
    text = (README.parent / path).read_text(encoding="utf-8")
    head = " ".join(text.split())
    place = 0
    for part in (f"## {QUESTION}", *SHORT_ANSWER, "images/answer.svg"):
        found = head.find(part, place)
        assert found >= 0, part
        place = found
    before, _, _ = head.partition(SHORT_ANSWER[0])
    assert len(before.split()) <= 40
    assert not re.search(r"```", text[: text.index("images/answer.svg")])


@pytest.mark.parametrize("word", ["logits", "cross-entropy", "pip install", "lastlayer explore"])
def test_it_says_the_words_that_people_search(word):
    assert word in TEXT


def test_python_examples_run():
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 4
    assert result.failed == 0


def test_examples_of_the_torch_page_run():
    page = README.parent / "docs" / "torch.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 5
    assert result.failed == 0


def test_links_lead_somewhere():
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)#\"]+)", TEXT):
        assert (README.parent / target).exists(), target
