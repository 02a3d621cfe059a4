"""The terminal text of an evaluation: it fits the width, uses more where there is room, and shows the numbers."""

from __future__ import annotations

import ast
import io
import itertools
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic_evaluation import CASES, FINDINGS, LEFT_OUT, synthetic_evaluation

from lastlayer.evaluation import Evaluation
from lastlayer.report.evaluation import render_evaluation
from lastlayer.report.evaluation.answer import answer

FILE = Path("lastlayer-evaluation/validation-scores/calibrator.json")


def shown(evaluation: Evaluation, width: int, *, encoding: str = "utf-8", crop: bool = True) -> str:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=buffer, width=width, legacy_windows=False)
    console.print(render_evaluation(evaluation, calibrator=FILE), crop=crop)
    buffer.flush()
    raw = buffer.buffer.getvalue()  # type: ignore[attr-defined]
    return str(raw.decode(encoding))


def table(text: str, corner: str) -> dict[str, list[str]]:
    """The columns of a table, and the cells of each row, by their first cell."""
    lines = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    start = next(i for i, line in enumerate(lines) if line[0] == corner)
    end = next(i for i, line in enumerate(lines) if i > start + 1 and line == [""])
    return {line[0]: line[1:] for line in (lines[start], *lines[start + 2 : end])}


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("name", CASES)
def test_every_line_fits(name: str, width: int) -> None:
    assert max(map(cell_len, shown(CASES[name](), width).splitlines())) <= width


@pytest.mark.parametrize(
    ("width", "metrics", "maps"),
    [
        (40, ["Value", "If calibrated"], ["Verdict", "Log loss"]),
        (60, ["Value", "Frequencies", "If calibrated"], ["Verdict", "Difference", "Log loss"]),
        (
            80,
            ["Value", "95 % interval", "Class frequencies", "If calibrated"],
            ["Verdict", "Difference", "Interval", "Log loss"],
        ),
        (
            100,
            ["Value", "95 % interval", "Class frequencies", "If calibrated"],
            ["Verdict", "Difference", "Interval", "Log loss", "ECE", "Temperature"],
        ),
    ],
)
def test_more_room_shows_more(width: int, metrics: list[str], maps: list[str]) -> None:
    text = shown(synthetic_evaluation(), width)
    assert table(text, "Metric")["Metric"] == metrics
    assert table(text, "Map")["Map"] == maps


def test_numbers_are_those_of_the_evaluation() -> None:
    evaluation = synthetic_evaluation()
    text = shown(evaluation, 100)
    maps = table(text, "Map")
    for found in evaluation.maps[1:5]:
        label = {"temperature_prior": "temp. and prior", "vector": "vector scaling", "matrix": "matrix scaling"}
        cells = maps[label.get(found.name, found.name)]
        difference = float(cells[1].replace("−", "-"))
        assert difference == pytest.approx(found.difference.value, abs=0.00051)
        assert float(cells[3]) == pytest.approx(found.log_loss.value, abs=0.00051)
    metrics = table(text, "Metric")
    assert float(metrics["Log loss"][0]) == pytest.approx(evaluation.metrics["log_loss"].value, abs=0.00051)


def test_the_answer_comes_first_then_the_tables_then_the_use() -> None:
    evaluation = synthetic_evaluation()
    flat = " ".join(shown(evaluation, 100).split())
    found = answer(evaluation)
    parts = [f"{found.headline}.", *found.reasons, "Metric Value", "Map Verdict", "How to use it:", "report.html"]
    places = [flat.index(" ".join(part.split())) for part in parts]
    assert places[0] == 0
    assert places == sorted(places)


@pytest.mark.parametrize("width", [40, 50, 100])
def test_the_lines_of_python_are_whole_at_every_width(width: int) -> None:
    buffer = io.StringIO()
    Console(file=buffer, width=width).print(render_evaluation(synthetic_evaluation(), calibrator=FILE), crop=False)
    lines = [line[4:] for line in buffer.getvalue().splitlines() if line.startswith("    ")]
    first = lines.index("from lastlayer.calibration import Calibrator")
    assert lines[first + 1 : first + 3] == [
        f'calibrator = Calibrator.read("{FILE}")',
        "probabilities = calibrator.probabilities(scores)",
    ]
    others = [line for line in buffer.getvalue().splitlines() if not line.startswith("    ")]
    assert max(map(cell_len, others)) <= width


@pytest.mark.parametrize("width", [50, 70, 100, 160])
def test_the_lines_of_numpy_and_torch_can_be_copied(width: int) -> None:
    evaluation = synthetic_evaluation()
    lines = shown(evaluation, width, crop=False).splitlines()
    for heading, code in (
        ("NumPy, from the array ", evaluation.calibrator.numpy_code),
        ("PyTorch, from the tensor ", evaluation.calibrator.torch_code),
    ):
        start = next(i for i, line in enumerate(lines) if line.startswith(heading))
        assert lines[start] == f"{heading}scores:"
        copied = list(itertools.takewhile(lambda line: line.startswith("    "), lines[start + 1 :]))
        assert ast.dump(ast.parse("\n".join(line[4:] for line in copied))) == ast.dump(ast.parse(code))


def test_a_long_line_is_left_to_the_report() -> None:
    evaluation = synthetic_evaluation(n_classes=12, class_names=tuple("abcdefghijkl"), advised="vector")
    assert len(evaluation.calibrator.torch_code) > 200
    text = " ".join(shown(evaluation, 100).split())
    assert "The lines of NumPy and PyTorch that need no file are long; report.html has them." in text
    assert "NumPy, from the array" not in text


def test_notes_are_counted_where_they_are_not_shown() -> None:
    lines = shown(synthetic_evaluation(findings=FINDINGS, left_out=LEFT_OUT), 80).splitlines()
    bullets = sum(line.startswith("•") for line in lines)
    warnings = sum(line.startswith("! ") for line in lines)
    assert (bullets, warnings) == (8, 7)
    n_more = len(FINDINGS) + len(LEFT_OUT) - bullets - warnings
    assert lines[-1].startswith(f"{n_more} more notes, classes, reliability diagram and method: report.html")
    assert shown(synthetic_evaluation(), 80).splitlines()[-1].startswith("Classes, reliability diagram")


def test_an_ascii_terminal_gets_ascii() -> None:
    text = shown(CASES["infinite"](), 80, encoding="ascii")
    assert "-inf" in text
    assert "?" not in text


def test_a_terminal_is_given_no_control_characters() -> None:
    assert not set(shown(CASES["hostile"](), 80)) & {"\x00", "\x07", "\x1b", "\u202e"}
