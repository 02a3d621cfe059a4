"""The examples in README, and on the torch page, give the output shown."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ lastlayer (.*?)\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize(("arguments", "shown"), CONSOLE)
def test_console_output_is_real(arguments, shown):
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-c", "from lastlayer.cli import main; main()", *arguments.split()]
    got = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert [line.rstrip() for line in got.splitlines()] == [line.rstrip() for line in shown.splitlines()]


def test_readme_has_console_output():
    assert CONSOLE


def test_python_examples_run():
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 5
    assert result.failed == 0


def test_examples_of_the_torch_page_run():
    page = README.parent / "docs" / "torch.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 5
    assert result.failed == 0


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (README.parent / target).exists(), target
