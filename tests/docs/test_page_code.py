"""What is code in the documents runs, and gives the output shown."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from pages import DOCS, ROOT, blocks, documents

from lastlayer.cli import app

#: Pages whose Python blocks run in other tests, which also look at what they make.
ELSEWHERE = {"study.md", "evaluate.md", "torch.md"}
TEXTS = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in documents()}


def named(*, containing: str) -> list[str]:
    return [name for name, text in TEXTS.items() if containing in text and name not in ELSEWHERE]


def scripts(name: str) -> list[str]:
    """The Python blocks of a page without prompts."""
    return [block for block in blocks(TEXTS[name], "python") if ">>>" not in block]


WITH_SCRIPTS = [name for name in TEXTS if name not in ELSEWHERE and scripts(name)]
#: (page, command, output)
COMMANDS = [
    (name, command, shown)
    for name in TEXTS
    for block in blocks(TEXTS[name], "console")
    for command, shown in re.findall(r"^\$ (lastlayer\b.*)\n((?:(?!\$ ).*(?:\n|$))*)", block, re.MULTILINE)
]


@pytest.mark.parametrize("name", named(containing=">>> "))
def test_examples_give_what_is_shown(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(str(DOCS / name), module_relative=False, optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", WITH_SCRIPTS)
def test_scripts_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The blocks of a page in their order, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        for i, block in enumerate(scripts(name)):
            exec(compile(block, f"{name}, block {i + 1}", "exec"), names)


@pytest.mark.parametrize(("name", "command", "shown"), [each for each in COMMANDS if each[2].strip()])
def test_output_of_commands_is_real(name: str, command: str, shown: str):
    """Of a command whose output is shown; a line … stands for any lines."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    call = [sys.executable, "-c", "from lastlayer.cli import main; main()", *shlex.split(command)[1:]]
    got = subprocess.run(call, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout
    lines = [re.escape(line.rstrip()) for line in shown.rstrip().splitlines()]
    pattern = "\n".join("(?:.*\n)*?.*" if line == re.escape("…") else line for line in lines)
    assert re.fullmatch(pattern, "\n".join(line.rstrip() for line in got.rstrip().splitlines())), got


@pytest.mark.parametrize(("name", "command", "shown"), COMMANDS)
def test_commands_exist_with_their_options(name: str, command: str, shown: str):
    words = shlex.split(command.partition(" > ")[0].partition(" | ")[0], comments=True)[1:]
    known = app.commands[words[0]] if words and not words[0].startswith("-") else app
    arguments = words[1:] if known is not app else words
    if hasattr(known, "parse_args") and not {"--help", "-h"} & set(arguments):
        with click.Context(known) as context:
            known.make_parser(context).parse_args([word for word in arguments if not re.fullmatch(r"-[\d.]\S*", word)])


def test_a_wrong_option_is_found():
    with click.Context(app.commands["compare"]) as context, pytest.raises(click.NoSuchOption):
        app.commands["compare"].make_parser(context).parse_args(["1", "0.5", "--lable", "0"])


def test_blocks_inside_of_directives_are_found():
    text = "::::{grid}\n:::{card}\n```python\nx = 1\n```\n:::\n::::\n\n1. one\n\n   ```python\n   y = 2\n   ```\n"
    assert blocks(text, "python") == ["x = 1\n", "y = 2\n"]
