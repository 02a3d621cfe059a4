"""A column of numbers that became text is told, with what made it text and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastlayer.report import finding_sentence
from lastlayer.study.data.datasets import load_dataset

NUMBERS = [f"{i}.5" for i in range(20)]
#: name → (cells, what the note says, or nothing if there is none).
COLUMNS: dict[str, tuple[list[str], str]] = {
    "numbers": (NUMBERS, ""),
    "numbers and gaps": ([*NUMBERS, "", ""], ""),
    "words": (["red", "green", "blue"] * 7, ""),
    "sentences": ([f"row {i} says no" for i in range(20)], ""),
    "dates": ([f"2024-01-{i + 1:02}" for i in range(20)], ""),
    "codes": ([f"A{i}" for i in range(20)], ""),
    "a dash": ([*NUMBERS, "-"], r"20 of its 21 cells are numbers: 1 cell holds '-' \(1\)\. To have .* leave these cells empty"),
    "a question mark": ([*NUMBERS, "?", "?"], r"2 cells hold '\?' \(2\)"),
    "missing": (["missing", *NUMBERS, "missing"], r"2 cells hold 'missing' \(2\)"),
    "two words": ([*NUMBERS, "missing", "-", "missing"], r"3 cells hold 'missing' \(2\) and '-' \(1\)"),
    "many words": ([*NUMBERS, *(f"w{i}" for i in range(9))], r"9 cells hold .*'w2' \(1\) and 6 other texts \(6\)"),
    "mostly placeholders": ([*NUMBERS, *["-"] * 60], r"20 of its 80 cells are numbers: 60 cells hold '-' \(60\)"),
    "percent": ([f"{i}%" for i in range(20)], r"20 numbers are written with '%', such as '0%'. To have .* write '0' for '0%'"),
    "one percent": ([*NUMBERS, "12%"], r"1 number is written with '%', such as '12%'"),
    "dollars": ([f"${i}" for i in range(20)], r"written with '\$', such as '\$0'. To .* write '0' for '\$0'"),
    "euros after": ([f"{i} €" for i in range(20)], r"written with ' ' and '€', such as '0 €'.* write '0' for '0 €'"),
    "thousands": ([f"{i + 1},234" for i in range(20)], r"written with ',', such as '1,234'. To .* write '1234' for '1,234'"),
    "money": ([f"${i + 1},234.50" for i in range(20)], r"written with '\$' and ','"),
    "money and a dash": ([*(f"${i}" for i in range(20)), "-"], r"1 cell holds '-' \(1\) and 20 numbers are written with '\$'"),
    "a unit line": (["mm", *NUMBERS], r"1 cell holds 'mm' \(1\)"),
    "control characters": ([*NUMBERS, "\x1b[31m"], r"1 cell holds '\\x1b\[31m' \(1\)"),
    "a long text": ([*NUMBERS, "x" * 500], r"1 cell holds 'x{29}…' \(1\)"),
}  # fmt: skip


def write_csv(path: Path, cells: list[str]) -> Path:
    rows = [f'"{cell}",{"uv"[i % 2]}' for i, cell in enumerate(cells)]
    (path / "t.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    return path / "t.csv"


def write_parquet(path: Path, cells: list[str]) -> Path:
    frame = pd.DataFrame(
        {"x": [cell or None for cell in cells], "y": [*"uv"] * (len(cells) // 2) + ["u"] * (len(cells) % 2)}
    )
    frame.to_parquet(path / "t.parquet")
    return path / "t.parquet"


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_became_text_is_told(kind: str, write: object, tmp_path: Path) -> None:
    cells, expected = COLUMNS[kind]
    data = load_dataset(write(tmp_path, cells), "y")  # type: ignore[operator]
    if kind.startswith("numbers") and write is write_parquet:
        expected = r"holds 20 numbers stored as text, and is read as text; store numbers"
    if not expected:
        assert data.findings == ()
        return
    note = finding_sentence(*data.findings)
    assert re.search(expected, note), note
    assert note.startswith("Column 'x' of t.")
    assert "\n" not in note
    assert "\x1b" not in note


def test_many_such_columns_are_named_together(tmp_path: Path) -> None:
    frame = pd.DataFrame({f"c{i}": ["-", *map(str, range(9))] for i in range(12)} | {"y": [*"uv"] * 5})
    frame.to_csv(tmp_path / "t.csv", index=False)
    findings = load_dataset(tmp_path / "t.csv", "y").findings
    assert len(findings) == 9
    assert finding_sentence(findings[-1]) == "The same holds for other columns of t.csv: 'c8', 'c9', 'c10', 'c11'."


def test_numbers_after_the_remedy_are_numbers(tmp_path: Path) -> None:
    data = load_dataset(write_csv(tmp_path, [*NUMBERS, ""]), "y")
    assert data.features["x"].dtype == np.float64
    assert data.features["x"].isna().sum() == 1
