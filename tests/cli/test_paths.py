"""~ on the command line is the home folder, in one place, for every option that is a path."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest

from lastlayer.cli.app import app
from lastlayer.cli.paths import PATH, expanded
from lastlayer.files import expanded as expanded_below
from lastlayer.study import StudyResults

SMALL = ("--folds", "2", "--repeats", "1", "--C", "1", "--mappings", "softmax")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and another folder to stand in."""
    for name in ("home", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


@pytest.mark.parametrize("written", [("--out=~/x",), ("--out", "~/x"), ("--out", "{home}/x")])
def test_everything_of_a_study_goes_to_one_place(
    written: tuple[str, ...], home: Path, lastlayer: Callable[..., Any]
) -> None:
    run = lastlayer("study", "iris", *SMALL, *(part.format(home=home) for part in written))
    assert run.code == 0
    assert [path.name for path in (home / "x").iterdir()] == ["iris"]
    assert {path.name for path in (home / "x" / "iris").iterdir()} >= {"fits", "report.html", "results.parquet"}
    assert list(Path.cwd().iterdir()) == []
    # A path as long as this one is wrapped nowhere: it is one line of its own.
    assert run.out.endswith(f"report: {home}/x/iris/report.html\n")
    assert StudyResults.read_parquet("~/x/iris/results.parquet").dataset == "iris"


def test_a_table_in_the_home_folder(home: Path, lastlayer: Callable[..., Any]) -> None:
    pd.DataFrame({"x": range(20), "y": list("ab") * 10}).to_csv(home / "t.csv", index=False)
    assert lastlayer("study", "~/t.csv", "--target", "y", *SMALL).code == 0


def test_a_figure_in_the_home_folder(home: Path, lastlayer: Callable[..., Any]) -> None:
    assert lastlayer("compare", "1", "2", "--plot=~/x.png").code == 0
    assert (home / "x.png").is_file()


def test_a_record_in_the_home_folder(home: Path, lastlayer: Callable[..., Any]) -> None:
    options = ("--quick", "--shapes", "4x3", "--operations", "softmax", "--peers", "", "--seconds", "0.01", "--json")
    assert lastlayer("bench", *options, "--out=~/x.json").code == 0
    assert (home / "x.json").is_file()


def test_an_unknown_user_is_no_home() -> None:
    for path in ("~nobody-of-this-name/x", "x/~/y", "plain"):
        assert expanded(path) == expanded_below(path) == Path(path)


def test_every_path_option_is_expanded() -> None:
    """A new parameter of type Path must be of our type, which expands ~."""
    seen = []
    for command in app.commands.values():
        assert command.callback is not None
        hints = typing.get_type_hints(command.callback)
        for parameter in command.params:
            hint = hints.get(parameter.name)
            if Path in (hint, *typing.get_args(hint)) or isinstance(parameter.type, click.Path):
                assert parameter.type is PATH, f"{command.name}: {parameter.name}"
                seen.append(parameter.name)
    assert sorted(seen) == ["fit", "fit_labels", "labels", "labels", "out", "out", "out", "out", "plot", "scores"]
