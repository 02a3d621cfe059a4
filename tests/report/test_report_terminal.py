"""The terminal table: it fits the width, uses more where there is room, and shows the results' numbers."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic_results import HOSTILE, all_invalid_results, hostile_results, synthetic_results

from lastlayer.findings import PRIMARY
from lastlayer.report import render_table
from lastlayer.report.notes import study_notes
from lastlayer.report.reading import read
from lastlayer.report.verdicts import comparison_sentence
from lastlayer.study.storage.results import StudyResults


def shown(results: StudyResults, width: int, *, encoding: str = "utf-8") -> str:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=buffer, width=width, legacy_windows=False)
    console.print(render_table(results))
    buffer.flush()
    raw = buffer.buffer.getvalue()  # type: ignore[attr-defined]
    return str(raw.decode(encoding))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("make", [synthetic_results, hostile_results, all_invalid_results])
def test_every_line_fits(width: int, make: object) -> None:
    lines = shown(make(), width).splitlines()  # type: ignore[operator]
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_row_and_no_metric_is_lost(width: int) -> None:
    text = shown(synthetic_results(), width)
    table = text.split("Verdicts")[0]
    for mapping in synthetic_results().settings.mappings:
        assert re.search(rf"^{mapping}\b", table, re.MULTILINE)
    for heading in ("Brier", "Accuracy", "Log loss", "ECE"):
        assert heading in table
    assert "…" not in table


@pytest.mark.parametrize("width", [80, 120])
def test_one_line_a_mapping(width: int) -> None:
    table = shown(synthetic_results(), width).split("Verdicts")[0]
    rows = table[table.index("─") :].strip("─\n ").splitlines()
    assert len(rows) == 10


def test_more_room_shows_more() -> None:
    narrow, middle, wide = (shown(synthetic_results(), width).split("Verdicts")[0] for width in (80, 120, 160))
    assert "Fit" not in narrow
    assert "Fit" in middle
    assert not re.search(r"\d\.\d{4}", middle)
    assert re.search(r"\d\.\d{4}", wide)
    assert len(wide) > len(middle) > len(narrow)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_numbers_are_those_of_the_results(width: int) -> None:
    results = synthetic_results()
    table = shown(results, width).split("Verdicts")[0]
    lines = table.splitlines()
    brier = results.summary.query("metric == 'brier'").set_index("mapping")
    for mapping, line in brier.iterrows():
        start = next(i for i, text in enumerate(lines) if re.match(rf"{mapping}\b", text))
        numbers = [float(n) for n in re.findall(r"\d*\.\d+", lines[start].removeprefix(str(mapping)))]
        if width == 60:
            numbers[1:3] = [float(n) for n in re.findall(r"\d*\.\d+", lines[start + 1])][:2]
        assert numbers[:3] == pytest.approx([line["mean"], line["low"], line["high"]], abs=0.00051)


def test_infinite_log_loss_shows_its_share() -> None:
    line = next(text for text in shown(synthetic_results(), 80).splitlines() if text.startswith("sparsemax"))
    assert re.search(r"∞ in 3\.1\W%", line)


def test_verdicts_and_notes_follow() -> None:
    results = synthetic_results()
    text = re.sub(r"\s+", " ", shown(results, 60))
    for row in read(results).others:
        assert f"{row.name} {comparison_sentence(row.comparison(PRIMARY))}" in text
    for note in study_notes(results):
        assert f"• {note}" in text


def test_an_ascii_terminal_gets_ascii() -> None:
    text = shown(synthetic_results(), 80, encoding="ascii")
    assert "inf in 3.1 %" in text
    assert "?" not in text.split("Verdicts")[0]


def test_a_terminal_is_given_no_control_characters() -> None:
    text = shown(hostile_results(), 80)
    assert not set(text) & {"\x00", "\x07", "\x1b", "\u202e"}
    assert HOSTILE[0] in text, "markup is shown, not obeyed"


def test_rows_outside_the_domain_get_a_column() -> None:
    assert "Outside" in shown(synthetic_results(), 160)
    assert "Outside" not in shown(synthetic_results(("softmax", "taylor")), 160)
