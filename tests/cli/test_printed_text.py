"""No control character of a file, a name or an argument reaches the terminal, wherever the command prints it."""

from __future__ import annotations

import ast
import io
import json
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.table import Table
from rich.text import Text

import lastlayer.cli
from lastlayer.cli import terminal
from lastlayer.words.printable import clean, is_control

#: Title, colour, C1 control sequence, bidirectional override and isolate, DEL, backspace, carriage return, a tag character.
HOSTILE = "\x1b]0;pwned\x07\x1b[31m\x9b31m\u202e\u2066\x7f\x08\x0d\U000e0041end"
SMALL = ("--folds", "2", "--repeats", "1", "--C", "1", "--mappings", "sparsemax")


def obeyed(text: str) -> set[str]:
    """The characters that a terminal may obey."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cs", "Cf")}


def table(folder: Path, *, suffix: str, column: str = "c", cell: str = "v", label: str = "b", file: str = "t") -> Path:
    """40 rows with a hostile text in one of these places."""
    path = folder / f"{file}{suffix}"
    columns = {
        "x": [float(i % 7) for i in range(40)],
        column: [cell if i % 2 else "w" for i in range(40)],
        "y": [label if i % 2 else "a" for i in range(40)],
    }
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
        return path
    quote = lambda text: '"' + str(text).replace('"', '""') + '"'  # noqa: E731
    rows = [columns.keys(), *zip(*columns.values(), strict=True)]
    path.write_bytes("".join(",".join(map(quote, row)) + "\n" for row in rows).encode())
    return path


PLACES: dict[str, dict[str, str]] = {
    "column name": {"column": HOSTILE},
    "cell": {"cell": HOSTILE},
    "class": {"label": HOSTILE},
    "file name": {"file": HOSTILE.replace("/", "")},
    "everywhere": {"column": HOSTILE, "cell": HOSTILE, "label": HOSTILE, "file": HOSTILE},
}
#: What is done with the table: options, and the exit code.
USES: dict[str, tuple[tuple[str, ...], int]] = {
    "study": (("--target", "y", *SMALL), 0),
    "json": (("--target", "y", *SMALL, "--json"), 0),
    "no target": ((), 2),
    "unknown target": (("--target", "q"), 2),
    "too many folds": (("--target", "y", "--folds", "30"), 2),
    "a target of one class too few": (("--target", "x", "--folds", "9"), 2),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("place", PLACES)
def test_a_file_commands_no_terminal(
    place: str, suffix: str, use: str, lastlayer: Callable[..., Any], tmp_path: Path
) -> None:
    options, code = USES[use]
    run = lastlayer(
        "study", str(table(tmp_path, suffix=suffix, **PLACES[place])), *options, "--out", str(tmp_path / "out")
    )
    assert run.code == code, run
    assert obeyed(run.out) == set()
    assert obeyed(run.err) == set()
    if use == "json":
        assert run.json["n_classes"] == 2
        if "file" in PLACES[place]:
            assert run.json["dataset"] == f"{HOSTILE}{suffix}"


ARGUMENTS: dict[str, tuple[str, ...]] = {
    "a score": ("compare", "1", HOSTILE),
    "mappings of compare": ("compare", "1", "2", "--mappings", HOSTILE),
    "a parameter": ("compare", "1", "2", "--mappings", f"entmax:alpha={HOSTILE}"),
    "a label": ("compare", "1", "2", "--label", HOSTILE),
    "a number": ("compare", "1", "2", "--temperature", HOSTILE),
    "a figure's suffix": ("compare", "1", "2", "--plot", f"x.{HOSTILE}"),
    "a figure's folder": ("compare", "1", "2", "--plot", f"/nowhere/{HOSTILE}/x.png"),
    "an option": ("compare", "1", "2", f"--{HOSTILE}"),
    "a card": ("explain", HOSTILE),
    "a second card": ("explain", "softmax", HOSTILE),
    "a command": (HOSTILE,),
    "shapes": ("bench", "--shapes", HOSTILE),
    "a peer": ("bench", "--peers", HOSTILE),
    "an operation": ("bench", "--operations", HOSTILE),
    "a dtype": ("bench", "--dtype", HOSTILE),
    "a record's folder": ("bench", "--out", f"/nowhere/{HOSTILE}/x.json"),
    "a dataset": ("study", HOSTILE),
    "a file": ("study", f"{HOSTILE}.csv"),
    "a file of no kind": ("study", f"/dev/{HOSTILE}/../null"),
    "mappings of a study": ("study", "iris", "--mappings", HOSTILE),
    "a folder for results": ("study", "iris", "--out", f"/dev/null/{HOSTILE}"),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_an_argument_commands_no_terminal(argument: str, lastlayer: Callable[..., Any]) -> None:
    run = lastlayer(*ARGUMENTS[argument])
    assert run.error()
    assert obeyed(run.out + run.err) == set()


def test_a_figure_and_a_report_of_any_name_are_told_cleanly(lastlayer: Callable[..., Any], tmp_path: Path) -> None:
    run = lastlayer("compare", "1", "2", "--plot", str(tmp_path / f"{HOSTILE}.png"))
    assert run.code == 0
    assert obeyed(run.out + run.err) == set()
    run = lastlayer("study", "iris", *SMALL, "--out", str(tmp_path / HOSTILE))
    assert run.code == 0
    assert obeyed(run.out + run.err) == set()


def test_whatever_rich_renders_is_cleaned_and_keeps_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    console = terminal.terminal()
    console.file, console._force_terminal, console._color_system = io.StringIO(), True, None
    grid = Table(title=HOSTILE)
    grid.add_column(Text(HOSTILE))
    grid.add_row(Text(HOSTILE), HOSTILE.replace("[", "("))
    for thing in (Text(HOSTILE), Text(HOSTILE, style="bold red"), grid, HOSTILE.replace("[", "(")):
        console.print(thing)
        console.print(thing, style="dim")
    printed = console.file.getvalue()
    assert "end" in printed
    assert obeyed(printed) == set()


def test_json_keeps_its_values() -> None:
    values = {HOSTILE: [HOSTILE, "é 日本語 שלום 👩‍🔬", 1.5]}
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("click.echo", lambda text, nl=True, err=False: printed.write(text))
        terminal.say_json(json.dumps(values, ensure_ascii=False, indent=2))
    assert {c for c in printed.getvalue() if c != "\n" and is_control(c)} == set()
    assert json.loads(printed.getvalue()) == values
    assert "日本語" in printed.getvalue()


def test_tracebacks_and_warnings_are_cleaned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.excepthook", None)
    monkeypatch.setattr(warnings, "showwarning", None)
    terminal.clean_tracebacks_and_warnings()
    import sys

    sys.excepthook(RuntimeError, RuntimeError(HOSTILE), None)
    warnings.showwarning(HOSTILE, RuntimeWarning, HOSTILE, 1)
    printed = capsys.readouterr().err
    assert printed.count("end") == 3
    assert printed.count("\n") == 2
    assert obeyed(printed) == set()


def test_clean_changes_no_readable_text() -> None:
    for text in ("plain", "naïve Ελληνικά 日本語", "שלום", "می‌خواهم", "👩‍🔬", "a − b × c", ""):
        assert clean(text) == text
    assert clean("two\nlines\tand a tab") == "two lines and a tab"
    assert clean("\ud800") == "\ufffd"


def test_the_commands_print_in_one_place_alone() -> None:
    """Nothing in cli/ but terminal.py makes a console or prints by itself."""
    folder = Path(lastlayer.cli.__file__).parent
    found = []
    for path in sorted(folder.glob("*.py")):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("print", "Console", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"):
                    found.append(f"{path.name}: {name}")
    assert found == []
