"""Classes are what stands in the file: each spelling, in each kind of file, with a note where a reader may be surprised."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastlayer.report import finding_sentence
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.error import StudyError

#: name → (cells of the target, the classes in order).
SPELLINGS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "leading zeros": (["01", "1", "10"], ("01", "1", "10")),
    "postal codes": (["02116", "10001"], ("02116", "10001")),
    "exponents": (["12e5", "1200000"], ("1200000", "12e5")),
    "decimal zeros": (["1.0", "1", "1.00"], ("1", "1.0", "1.00")),
    "plus sign": (["+1", "1"], ("+1", "1")),
    "hexadecimal": (["0x10", "16"], ("0x10", "16")),
    "beyond 2**53": (["9007199254740992", "9007199254740993"], ("9007199254740992", "9007199254740993")),
    "beyond int64": (["9223372036854775808", "9223372036854775809"], ("9223372036854775808", "9223372036854775809")),
    "beyond uint64": (
        ["99999999999999999999", "100000000000000000000"],
        ("99999999999999999999", "100000000000000000000"),
    ),
    "negative integers": (["-10", "9", "-9"], ("-10", "-9", "9")),
    "numbers by value": (["10", "9", "2.5"], ("2.5", "9", "10")),
    "None": (["None", "Mild", "Severe"], ("Mild", "None", "Severe")),
    "None of two": (["None", "Some"], ("None", "Some")),
    "every missing word": (
        ["NA", "N/A", "null", "NULL", "nan", "NaN", "None", "n/a", "<NA>", "#N/A"],
        ("#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ),
    "NA among numbers": (["2", "NA", "10"], ("2", "10", "NA")),
    "booleans": (["True", "False"], ("False", "True")),
    "booleans of every case": (["True", "true", "TRUE", "False"], ("False", "TRUE", "True", "true")),
    "booleans and a word": (["true", "false", "unknown"], ("false", "true", "unknown")),
    "yes of every case": (["yes", "Yes", "no"], ("Yes", "no", "yes")),
    "trailing blanks": (["yes", "yes ", "no"], ("no", "yes", "yes ")),
    "placeholders": (["-", "?", "a"], ("-", "?", "a")),
    "infinities": (["inf", "-inf", "1"], ("-inf", "1", "inf")),
    "dates": (["2024-01-02", "2024-01-01"], ("2024-01-01", "2024-01-02")),
    "money": (["$5", "$10"], ("$10", "$5")),
    "accents": (["é", "e\u0301"], ("e\u0301", "é")),
    "right to left": (["שלום", "عربي"], ("שלום", "عربي")),
    "a huge exponent": (["1e999999", "1e-999999"], ("1e-999999", "1e999999")),
}


def as_csv(path: Path, cells: list[str | None]) -> Path:
    return _csv(path, ["" if cell is None else cell for cell in cells])


def as_quoted_csv(path: Path, cells: list[str | None]) -> Path:
    return _csv(path, ['""' if cell is None else f'"{cell}"' for cell in cells])


def _csv(path: Path, cells: list[str]) -> Path:
    lines = [f"{i}.5,{cell}" for i, cell in enumerate(cells)]
    path = path.with_suffix(".csv")
    path.write_text("\n".join(["x,y", *lines]) + "\n", encoding="utf-8")
    return path


def as_parquet(kind: Callable[[list[str | None]], pa.Array]) -> Callable[[Path, list[str | None]], Path]:
    def write(path: Path, cells: list[str | None]) -> Path:
        path = path.with_suffix(".parquet")
        pq.write_table(pa.table({"x": np.arange(len(cells)) + 0.5, "y": kind(cells)}), path)
        return path

    return write


FILES = {
    "csv": as_csv,
    "quoted csv": as_quoted_csv,
    "parquet text": as_parquet(lambda cells: pa.array(cells, pa.string())),
    "parquet large text": as_parquet(lambda cells: pa.array(cells, pa.large_string())),
    "parquet categories": as_parquet(lambda cells: pa.array(cells, pa.string()).dictionary_encode()),
    "parquet bytes": as_parquet(
        lambda cells: pa.array([None if c is None else c.encode() for c in cells], pa.binary())
    ),
}


@pytest.mark.parametrize("has_gaps", [False, True], ids=["whole", "with gaps"])
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_a_class_of_its_own(spelling: str, file: str, has_gaps: bool, tmp_path: Path) -> None:
    cells, names = SPELLINGS[spelling]
    column: list[str | None] = [cell for _ in range(3) for cell in (*cells, *([None] if has_gaps else []))]
    data = load_dataset(FILES[file](tmp_path / "t", column), "y")
    assert data.class_names == names
    assert data.class_counts == (3,) * len(names)
    known = [cell for cell in column if cell is not None]
    assert [data.class_names[label] for label in data.labels] == known
    # The rows of the features are those of the labels.
    assert data.features["x"].tolist() == [i + 0.5 for i, cell in enumerate(column) if cell is not None]
    assert any(finding.code == "rows_without_target" for finding in data.findings) == has_gaps


TYPES: dict[str, tuple[pa.Array, tuple[str, ...]]] = {
    "int8": (pa.array([-1, 10, 9], pa.int8()), ("-1", "9", "10")),
    "int64 beyond 2**53": (pa.array([2**53, 2**53 + 1], pa.int64()), ("9007199254740992", "9007199254740993")),
    "int64 with a gap": (pa.array([2**53, 2**53 + 1, None], pa.int64()), ("9007199254740992", "9007199254740993")),
    "uint64": (pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), ("18446744073709551614", "18446744073709551615")),
    "uint64 with a gap": (pa.array([2**64 - 1, None, 2**64 - 2], pa.uint64()), ("18446744073709551614", "18446744073709551615")),
    "whole floats with a gap": (pa.array([0.0, 1.0, None, np.nan]), ("0", "1")),
    "float64": (pa.array([0.5, 1.0, 0.1]), ("0.1", "0.5", "1.0")),
    "float32": (pa.array(np.array([0.1, 0.2], np.float32)), ("0.1", "0.2")),
    "float16": (pa.array(np.array([0.1, 2.0], np.float16)), ("0.1", "2.0")),
    "large floats": (pa.array([1e16, 1e16 + 2]), ("1e+16", "1.0000000000000002e+16")),
    "signed zeros": (pa.array([0.0, -0.0, 1.0]), ("0", "1")),
    "bool": (pa.array([True, False]), ("False", "True")),
    "bool with a gap": (pa.array([True, None, False]), ("False", "True")),
    "decimal": (pa.array([decimal.Decimal("1.50"), decimal.Decimal("0.25")]), ("0.25", "1.50")),
    "wide decimal": (pa.array([decimal.Decimal(10**20), decimal.Decimal(10**20 + 1)]), (f"{10**20}", f"{10**20 + 1}")),
    "date": (pa.array([19000, 19001], pa.date32()), ("2022-01-08", "2022-01-09")),
    "timestamp": (pa.array([1, 2], pa.timestamp("ns")), ("1970-01-01 00:00:00.000000001", "1970-01-01 00:00:00.000000002")),
    "categories of integers": (pa.array([2**53, 2**53 + 1]).dictionary_encode(), ("9007199254740992", "9007199254740993")),
    "categories with unused ones": (pa.DictionaryArray.from_arrays([0, 2], ["a", "b", "c"]), ("a", "c")),
    "bytes that are no text": (pa.array([b"\xff", b"a"]), ("a", "b'\\xff'")),
    "blank text": (pa.array(["a", "b", "", "  "]), ("a", "b")),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_a_parquet_file_keeps_its_digits(kind: str, tmp_path: Path) -> None:
    column, names = TYPES[kind]
    pq.write_table(pa.table({"x": np.arange(len(column)) + 0.5, "y": column}), tmp_path / "t.parquet", row_group_size=1)
    assert load_dataset(tmp_path / "t.parquet", "y").class_names == names


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "boolean", "string", "category", "Float64"])
def test_nullable_columns_of_pandas(dtype: str, tmp_path: Path) -> None:
    first, second = {"boolean": (False, True), "string": ("007", "7"), "Float64": (0.0, 1.0)}.get(
        dtype, (2**53, 2**53 + 1)
    )
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": pd.Series([first, None, second], dtype=object).astype(dtype)})
    frame.to_parquet(tmp_path / "t.parquet")
    names = load_dataset(tmp_path / "t.parquet", "y").class_names
    assert names == (("0", "1") if dtype == "Float64" else (str(first), str(second)))


NOTES = [
    (["None", "a", "None"], r"'None' \(2 rows\) in 'y' is a class, as every text is; only an empty cell is a missing label"),
    (["NA", "null", "a"], r"'NA' \(1 row\) and 'null' \(1 row\) in 'y' are classes"),
    (["01", "1", "2"], r"differ only in .* the way a number is written are different classes: '01' and '1'\. If they mean"),
    (["True", "TRUE", "true"], r"differ only in capitals.*: 'TRUE', 'True' and 'true'"),
    (["yes", "yes ", "no"], r"blanks.*: 'yes' and 'yes '"),
    (["a", "b", ""], r"1 of 3 rows has no value in 'y' \(an empty cell\) and was left out"),
]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("cells", "note"), NOTES)
def test_what_may_surprise_is_told(cells: list[str], note: str, file: str, tmp_path: Path) -> None:
    data = load_dataset(FILES[file](tmp_path / "t", list(cells)), "y")
    said = finding_sentence(*data.findings)
    assert re.search(note, said), said


def test_plain_classes_need_no_note(tmp_path: Path) -> None:
    assert load_dataset(as_csv(tmp_path / "t", ["a", "b", "1", "2"]), "y").findings == ()


@pytest.mark.parametrize("gap", ["", "NA"])
def test_a_quantity_is_one_beside_missing_words_too(gap: str, tmp_path: Path) -> None:
    cells: list[str | None] = [gap, *(f"{i / 7:.3f}" for i in range(60))]
    with pytest.raises(StudyError, match=r"60 distinct numbers, from 0.000 to 8.429: a quantity, not classes"):
        load_dataset(as_csv(tmp_path / "t", cells), "y")


def test_a_quantity_with_decimal_commas_is_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x;y\n" + "".join(f"1,5;{i},25\n" for i in range(60)))
    with pytest.raises(StudyError, match="60 distinct numbers, from 0,25 to 59,25: a quantity"):
        load_dataset(path, "y")


@pytest.mark.parametrize("column", [[[1], [2]], [{"a": 1}, {"a": 2}]])
def test_classes_that_are_lists_are_refused(column: list[object], tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": column}), tmp_path / "t.parquet")
    with pytest.raises(StudyError, match=r"Column 'y' of t.parquet holds .* values; a class needs one text or number"):
        load_dataset(tmp_path / "t.parquet", "y")


@pytest.mark.parametrize("file", FILES)
def test_a_target_without_values_is_told(file: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"Column 'y' of .* has no values; choose another --target"):
        load_dataset(FILES[file](tmp_path / "t", [None, None]), "y")


def test_a_target_of_nulls_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": pa.nulls(2)}), tmp_path / "t.parquet")
    with pytest.raises(StudyError, match=r"Column 'y' of .* has no values; choose another --target"):
        load_dataset(tmp_path / "t.parquet", "y")


def test_ranges_of_pandas_cut_are_classes() -> None:
    ages = pd.Series([3.0, 12.0, 45.0, 11.0, np.nan, 50.0])
    data = load_dataset(pd.DataFrame({"x": range(6), "y": pd.cut(ages, [0, 10, 20, 60])}), "y")
    assert data.class_names == data.class_values == ("(0, 10]", "(10, 20]", "(20, 60]")
    assert data.labels.tolist() == [0, 1, 2, 1, 2]
