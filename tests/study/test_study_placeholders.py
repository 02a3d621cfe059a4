"""A column of numbers that became text is read as numbers where that is safe; a finding says what was done, or what to do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastlayer.report import finding_sentence
from lastlayer.study.data.datasets import load_dataset

NUMBERS = [f"{i}.5" for i in range(20)]
#: name → (cells, whether they are read as numbers, what the note says, or nothing if there is none).
COLUMNS: dict[str, tuple[list[str], bool, str]] = {
    "numbers": (NUMBERS, True, ""),
    "numbers and gaps": ([*NUMBERS, "", ""], True, ""),
    "words": (["red", "green", "blue"] * 7, False, ""),
    "sentences": ([f"row {i} says no" for i in range(20)], False, ""),
    "dates": ([f"2024-01-{i + 1:02}" for i in range(20)], False, ""),
    "codes": ([f"A{i}" for i in range(20)], False, ""),
    "versions": ([f"1.{i}.0" for i in range(20)], False, ""),
    "phone numbers": ([f"555 0{i:02}1" for i in range(20)], False, "written with ' '"),
    "a dash": ([*NUMBERS, "-"], True, r"20 of 21 cells are numbers: '-' \(1 cell\) as missing"),
    "a question mark": ([*NUMBERS, "?", "?"], True, r"'\?' \(2 cells\) as missing"),
    "missing": (["missing", *NUMBERS, "missing"], True, r"'missing' \(2 cells\) as missing"),
    "two words": ([*NUMBERS, "missing", "-", "missing"], True, r"'missing' \(2 cells\) and '-' \(1 cell\) as missing"),
    "unknown words": ([*NUMBERS, "broken", "lost"], True, r"'broken' \(1 cell\) and 'lost' \(1 cell\) as missing"),
    "many words": ([*NUMBERS, *(f"w{i}" for i in range(9))], False, r"9 cells hold .*'w2' \(1\) and 6 other texts \(6\)"),
    "an open range": ([*NUMBERS, "50+"], False, r"is read as text.*1 cell holds '50\+' \(1\)"),
    "few numbers and a level": (["1", "2", "3", "low"] * 5, False, r"is read as text.*5 cells hold 'low' \(5\)"),
    "few numbers and a dash": (["1", "2", "3", "-"] * 5, True, r"'-' \(5 cells\) as missing"),
    "mostly placeholders": ([*NUMBERS, *["-"] * 60], True, r"20 of 80 cells are numbers: '-' \(60 cells\) as missing"),
    "mostly words": ([*NUMBERS, *["good"] * 60], False, ""),
    "percent": ([f"{i}%" for i in range(20)], True, r"20 of 20 cells are numbers: '0%' was read as 0\."),
    "one percent": ([*NUMBERS, "12%"], False, r"1 number is written with '%', such as '12%'"),
    "two currencies": ([*(f"${i}" for i in range(9)), *(f"€{i}" for i in range(9))], False, r"written with '\$' and '€'"),
    "dollars": ([f"${i}" for i in range(20)], True, r"'\$0' was read as 0\."),
    "euros after": ([f"{i} €" for i in range(20)], True, r"'0 €' was read as 0\."),
    "thousands": ([f"{i + 1},234" for i in range(20)], True, r"'1,234' was read as 1234\."),
    "decimal commas": ([f"{i + 1},25" for i in range(20)], True, r"'1,25' was read as 1\.25\."),
    "money": ([f"${i + 1},234.50" for i in range(20)], True, r"'\$1,234\.50' was read as 1234\.5\."),
    "continental money": ([f"{i + 1}.234,50 €" for i in range(20)], True, r"'1\.234,50 €' was read as 1234\.5\."),
    "debts": ([f"-${i + 1},000" for i in range(20)], True, r"'-\$1,000' was read as -1000\."),
    "money and a dash": ([*(f"${i}" for i in range(20)), "-"], True, r"'\$0' was read as 0, '-' \(1 cell\) as missing"),
    "control characters": ([*NUMBERS, "\x1b[m"], True, r"'\\x1b\[m' \(1 cell\) as missing"),
    "a long text": ([*NUMBERS, "x" * 500], True, r"'x{29}…' \(1 cell\) as missing"),
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
def test_a_column_of_numbers_that_became_text(kind: str, write: object, tmp_path: Path) -> None:
    cells, is_number, expected = COLUMNS[kind]
    data = load_dataset(write(tmp_path, cells), "y")  # type: ignore[operator]
    assert (data.features["x"].dtype == np.float64) == is_number
    assert (data.columns["kind"].tolist() == ["number"]) == is_number
    if kind.startswith("numbers") and write is write_parquet:
        expected = r"holds 20 numbers stored as text, which were read as numbers"
    if not expected:
        assert data.findings == ()
        return
    note = finding_sentence(*data.findings)
    assert re.search(expected, note), note
    assert note.startswith("Column 'x' of t.")
    assert "\n" not in note
    assert "\x1b" not in note


def test_what_the_cells_became(tmp_path: Path) -> None:
    cells = ["$1,234.50", "$-7", " $8 ", "n/a", "-", "", *(f"${i}" for i in range(9))]
    values = load_dataset(write_parquet(tmp_path, cells), "y").features["x"].to_numpy()
    np.testing.assert_array_equal(values, [1234.5, -7, 8, np.nan, np.nan, np.nan, *range(9)])


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    cells = [f"{i:05}" for i in range(90, 110)]
    assert load_dataset(write_parquet(tmp_path, cells), "y").features["x"].tolist() == cells


def test_many_such_columns_are_named_together(tmp_path: Path) -> None:
    frame = pd.DataFrame({f"c{i}": ["-", *(str(i + 10 * j) for j in range(9))] for i in range(12)} | {"y": [*"uv"] * 5})
    frame.to_csv(tmp_path / "t.csv", index=False)
    findings = load_dataset(tmp_path / "t.csv", "y").findings
    assert len(findings) == 4
    others = ", ".join(repr(f"c{i}") for i in range(3, 12))
    assert finding_sentence(findings[-1]) == f"The same holds for other columns of t.csv: {others}."
