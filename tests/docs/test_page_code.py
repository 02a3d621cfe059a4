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
from click.testing import CliRunner
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
#: README too: its examples with output are held by tests/architecture/test_readme.py.
NAMED = {**TEXTS, "../README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
WITH_COMMANDS = [name for name, text in TEXTS.items() if "$ lastlayer" in text]


def commands(name: str) -> list[tuple[str, str]]:
    """(command, the output shown below it) of a page's console blocks."""
    pattern = re.compile(r"^\$ (lastlayer\b.*)\n((?:(?!\$ ).*(?:\n|$))*)", re.MULTILINE)
    return [pair for block in blocks(TEXTS[name], "console") for pair in pattern.findall(block)]


def calls(name: str) -> list[str]:
    """Every call of the command that a page names: in a block for a shell, after a prompt, or within a line."""
    text = NAMED[name]
    shell = "\n".join(blocks(text, "sh"))
    return [
        *re.findall(r"^(lastlayer\b.*)", shell, re.MULTILINE),
        *re.findall(r"^(?: {4})?\$ (lastlayer\b.*)", text, re.MULTILINE),
        *re.findall(r"^ {4}(lastlayer [a-z].*)", text, re.MULTILINE),
        *(" ".join(call.split()) for call in re.findall(r"(?<!`)`(lastlayer [a-z][^`…]*)`(?!`)", text)),
    ]


def runs_alone(call: str) -> bool:
    """Whether a call needs no file and little time, and opens nothing."""
    return bool(re.match(r"lastlayer (compare (?!.*(--plot|SCORES))|explain [a-z]|config)", call)) and ">" not in call


# peft asks a transformers model for it by its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
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


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_output_of_commands_is_real(name: str):
    """A command whose output is shown prints it; a line … stands for any lines."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    for command, shown in commands(name):
        if shown.strip():
            call = [sys.executable, "-c", "from lastlayer.cli import main; main()", *shlex.split(command)[1:]]
            got = subprocess.run(call, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout
            assert shows(shown, got), f"{command}\n{got}"


@pytest.mark.parametrize("name", [name for name in NAMED if calls(name)])
def test_commands_exist_with_their_options(name: str):
    for command in calls(name):
        check_options(shlex.split(command.partition(" > ")[0].partition(" | ")[0], comments=True)[1:])


@pytest.mark.parametrize("command", sorted({call for name in NAMED for call in calls(name) if runs_alone(call)}))
def test_commands_that_need_nothing_run(command: str):
    result = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert result.exit_code == 0, result.output


def shows(shown: str, output: str) -> bool:
    """Whether an output is the one shown, up to spaces at the end of its lines."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "…" else re.escape(line.rstrip()) + "\n" for line in shown.rstrip().splitlines()
    )
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in output.rstrip().splitlines())) is not None


def check_options(words: list[str]) -> None:
    """Parse the words after `lastlayer` without running anything.

    Raises:
        click.UsageError: there is no such command or option.
    """
    known: click.Command = app
    if words and not words[0].startswith("-"):
        found = app.get_command(click.Context(app), words[0])
        if found is None:
            raise click.UsageError(f"there is no command {words[0]}")
        known, words = found, words[1:]
    # Negative scores are no options; the command itself sorts them out.
    words = [word for word in words if not re.fullmatch(r"-[\d.]\S*", word)]
    known.make_parser(click.Context(known)).parse_args(words)


def test_a_difference_is_found():
    assert shows("a\n…\nd\n", "a \nb\nc\nd\n")
    assert shows("…\nd\n…\n", "d\n")
    assert not shows("a\n…\nd\n", "a\nb\n")
    assert not shows("0.6225\n", "0.6226\n")


@pytest.mark.parametrize("words", [["compare", "1", "0.5", "--lable", "0"], ["comprae", "1"], ["--verzion"]])
def test_a_wrong_option_is_found(words: list[str]):
    with pytest.raises(click.UsageError):
        check_options(words)


def test_blocks_inside_of_directives_are_found():
    text = "::::{grid}\n:::{card}\n```python\nx = 1\n```\n:::\n::::\n\n1. one\n\n   ```python\n   y = 2\n   ```\n"
    assert blocks(text, "python") == ["x = 1\n", "y = 2\n"]
