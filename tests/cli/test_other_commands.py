"""explain, config, help, and what holds for every command."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

import lastlayer as ll
from lastlayer.cli import app
from lastlayer.cli.completion import DATASETS, MAPS
from lastlayer.comparison import card
from lastlayer.evaluation.ladder import LADDER
from lastlayer.mappings import MAPPINGS
from lastlayer.study.data.datasets import BUNDLED

FULL = Path("/dev/full")

HEAVY = ("matplotlib", "sklearn", "scipy", "pandas", "pyarrow", "skrub", "torch", "joblib", "jinja2")


def test_explain_lists_every_mapping(lastlayer):
    lines = lastlayer("explain", width=200).out.splitlines()
    for name, mapping in MAPPINGS.items():
        assert any(line.split() == [name, *mapping.summary.split()] for line in lines)


@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("width", [60, 100])
def test_explain_shows_the_card(lastlayer, name, width):
    out = lastlayer("explain", name, width=width).out
    assert max(map(len, out.splitlines())) <= width
    words = " ".join(out.replace("· ", "").split())
    for heading, lines in card(MAPPINGS[name]).sections:
        assert heading in out
        for line in lines:
            # A wrapped cell is interrupted by nothing but the margin.
            assert " ".join(line.split()) in words


def test_explain_takes_parameters(lastlayer):
    assert "alpha = 1.3" in lastlayer("explain", "entmax:alpha=1.3").out


def test_explain_shows_a_new_mapping(lastlayer, monkeypatch):
    monkeypatch.setitem(MAPPINGS, "toy", dataclasses.replace(MAPPINGS["softmax"], name="toy", summary="A toy."))
    assert "A toy." in lastlayer("explain").out
    assert "A toy." in lastlayer("explain", "toy").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "sofmax"], "did you mean 'softmax'"),
        (["explain", "entmax:alpha=x"], "entmax:alpha=1.3"),
        (["explain", "softmax", "ratio"], "ratio"),
        (["nonsense"], "No such command 'nonsense'"),
        (["compar", "1"], "compare"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_sentence(lastlayer, arguments, says):
    assert says in lastlayer(*arguments).error()


def test_config_shows_what_serves(lastlayer):
    out = lastlayer("config").out
    assert "portable" in out
    assert "threads" in out


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", [None, *app.commands])
def test_help_is_whole_at_every_width(lastlayer, name, width):
    arguments, command = ([], app) if name is None else ([name], app.commands[name])
    run = lastlayer(*arguments, "--help", width=width)
    assert run.code == 0
    assert max(map(len, run.out.splitlines())) <= width
    words = " ".join(run.out.split())
    assert words.startswith("Usage: ")
    # click cuts a command's line in the table of commands with three points.
    assert "..." not in words.partition("Options:")[2]
    for option in command.params:
        if isinstance(option, click.Option):
            assert " ".join(option.help.split()) in words
    assert ("Example: lastlayer" in words) == (name not in (None, "config"))


def test_version(lastlayer):
    assert lastlayer("--version").out == f"lastlayer {ll.__version__}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("comp", {"plain,compare"}),
        ("explain softm", {"plain,softmax", "plain,softmax_plus_one"}),
        ("explain Softm", {"plain,softmax", "plain,softmax_plus_one"}),
        ("compare --la", {"plain,--label"}),
        ("compare --mappings ra", {"plain,ratio"}),
        # Softmax is in the list already.
        ("compare --mappings softmax,softm", {"plain,softmax,softmax_plus_one"}),
        ("compare --mappings al", {"plain,all"}),
        ("compare --mappings softmax,al", set()),
        ("compare --mappings softmax,entmax:al", {"plain,softmax,entmax:alpha="}),
        ("compare --mappings softmax:al", set()),
        ("study iris --mappings al", set()),
        ("study wi", {"plain,wine"}),
        ("study my", {"file,my"}),
        ("study iris --mappings ent", {"plain,entmax"}),
        ("evaluate x.npy --mapping ra", {"plain,ratio"}),
        ("evaluate x.npy --maps none,mat", {"plain,none,matrix"}),
        ("evaluate x.npy --as p", {"plain,probabilities"}),
        ("bench --peers to", {"plain,torch"}),
        ("bench --operations softmax,logs", {"plain,softmax,logsumexp"}),
    ],
)
def test_the_shell_completes_commands_options_and_names(words, offered, monkeypatch):
    for name, value in (("COMP_WORDS", f"lastlayer {words}"), ("COMP_CWORD", str(len(words.split())))):
        monkeypatch.setenv(name, value)
    completion = BashComplete(app, {}, "lastlayer", "_LASTLAYER_COMPLETE")
    assert set(completion.complete().splitlines()) == offered


def test_the_installed_command_completes(real_lastlayer):
    asked = {"_LASTLAYER_COMPLETE": "bash_complete", "COMP_WORDS": "lastlayer comp", "COMP_CWORD": "1"}
    assert real_lastlayer(**asked).out == "plain,compare\n"


def test_completion_offers_what_the_commands_take():
    assert set(DATASETS) == set(BUNDLED)
    assert set(MAPS) <= set(LADDER)


def test_without_a_command_there_is_help(lastlayer):
    assert "compare" in lastlayer().out


def test_starting_loads_nothing_heavy():
    code = f"import sys, lastlayer.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["compare", "1", "0.5"], ["explain", "sparsemax"], ["config"], ["--help"]])
def test_the_core_installation_is_enough(command):
    """With nothing but NumPy, array-api-compat, click and rich, every command that needs no extra runs."""
    missing = (*HEAVY, "hypothesis", "mpmath", "array_api_strict")
    code = f"import sys; sys.modules.update(dict.fromkeys({missing!r})); from lastlayer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_unbuffered", [False, True])
@pytest.mark.parametrize("arguments", [["explain"], ["--help"], ["compare", "1", ".5", "--json"]])
def test_a_closed_pipe_is_no_error(arguments, is_unbuffered):
    """As after `| head -1`: the reader has what it wants, so there is nothing to say."""
    command = str(Path(sys.executable).with_name("lastlayer"))
    environment = os.environ | {"PYTHONUNBUFFERED": "1" if is_unbuffered else ""}
    running = subprocess.Popen([command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert (err, running.returncode) == (b"", 2), "1 is an exceeded bound of evaluate"


@pytest.mark.skipif(
    not FULL.exists(), reason="needs /dev/full, which Linux has: every write to it fails as on a full disk"
)
@pytest.mark.parametrize("is_unbuffered", [False, True])
@pytest.mark.parametrize(
    "arguments", [["compare", "1", ".5"], ["compare", "1", ".5", "--json"], ["--help"], ["explain"]]
)
def test_a_full_disk_is_one_sentence(arguments, is_unbuffered):
    """A buffered output fails at its end, an unbuffered one at its first write."""
    command = str(Path(sys.executable).with_name("lastlayer"))
    environment = os.environ | {"PYTHONUNBUFFERED": "1" if is_unbuffered else ""}
    with FULL.open("w") as full:
        done = subprocess.run(
            [command, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "lastlayer: error: The output cannot be written (No space left on device); free some room on the disk.\n"
    )


def test_a_terminal_without_unicode_gets_no_traceback(real_lastlayer):
    run = real_lastlayer("compare", "2", "-1", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.code == 0
    assert "softmax" in run.out
