"""A table from a CSV file: its separator, its columns, and the target column as the text that is in the file."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.errors import EmptyDataError, ParserError, ParserWarning

from lastlayer.study.data.columns import check_names
from lastlayer.study.error import StudyError

#: Column separators that a CSV file may use instead of the comma.
_SEPARATORS = (",", ";", "\t", "|")
#: Records, the header among them, that a separator is judged by.
_RECORDS = 20


def read_csv(path: Path, target: str | None) -> pd.DataFrame:
    """The table; the cells of the target column as they are written, and as missing only where they are empty.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no CSV file, or two columns share a name.
    """
    try:
        separator = _separator(path)
        frame = _parse(path, separator, decimal=".")
        # Where the comma is the decimal sign, the semicolon is the separator.
        if separator == ";":
            continental = _parse(path, separator, decimal=",")
            frame = continental if _count_numeric(continental) > _count_numeric(frame) else frame
        frame = _with_large_integers(frame)
        if target is not None and target in frame.columns:
            frame[target] = _parse_text(path, separator, target)
        return frame
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path.name} is not UTF-8 text (byte {error.object[error.start]:#04x} at position {error.start}); save it as UTF-8."
        ) from error
    except EmptyDataError as error:
        raise StudyError(
            f"{path.name} is empty; give a table with a header line and one line for each example."
        ) from error
    except (ParserError, ParserWarning, csv.Error) as error:
        raise StudyError(
            f"{path.name} cannot be read as CSV: {_reason(error)} Mend these lines or save the table again."
        ) from error


def _parse(path: Path, separator: str, decimal: str = ".", **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Lines longer than the header are cut with a warning; here that is an error.
        warnings.simplefilter("error", ParserWarning)
        return pd.read_csv(
            path,
            sep=separator,
            decimal=decimal,
            encoding="utf-8-sig",
            index_col=False,
            low_memory=False,
            skipinitialspace=True,
            **options,
        )


def _parse_text(path: Path, separator: str, column: str) -> pd.Series:
    """One column as text: pandas would make 1 of 01, round large integers, and take the word None for an empty cell.

    This takes a second pass, since pandas is slow where many columns have different missing words.
    """
    frame = _parse(path, separator, usecols=[column], dtype={column: str}, keep_default_na=False, na_values=[""])
    return frame[column]


def _count_numeric(frame: pd.DataFrame) -> int:
    return frame.select_dtypes("number").shape[1]


def _with_large_integers(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that pandas left as text only because an integer exceeds 64 bits, as float64."""
    for column in [column for column, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]:
        if not (known := frame[column].dropna()).size:
            continue
        # The first cell first: few columns of words begin with a number.
        if all(pd.to_numeric(cells, errors="coerce").notna().all() for cells in (known.iloc[:1], known)):
            frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame


def _separator(path: Path) -> str:
    """The separator under which most of the first records have as many fields as the header; of equals, the most fields.

    Separators inside quotes are no separators. Raises StudyError where two columns share a name.
    """
    if not _has_text(path):
        raise EmptyDataError
    found: dict[str, list[list[str]]] = {}
    for separator in _SEPARATORS:
        records = list(_records(path, separator))
        if records:
            found[separator] = records
    if not found:
        raise csv.Error("a field of the header line is longer than 128 KiB, so a quote may be open")

    def fit(separator: str) -> tuple[int, int]:
        header, *rows = found[separator]
        return (1 + sum(len(row) == len(header) for row in rows), len(header)) if len(header) > 1 else (0, 0)

    best = max(found, key=fit)
    check_names([name.strip() for name in found[best][0]], path)
    return best


def _has_text(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return any(line.strip() for line in file)


def _records(path: Path, separator: str) -> Iterator[list[str]]:
    """The header and a few more records; ends early where a field is too long to be one, as under a wrong separator."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=separator, skipinitialspace=True)
        records = (record for record in lines if len(record) > 1 or any(field.strip() for field in record))
        try:
            yield from islice(records, _RECORDS)
        except csv.Error:
            return


def _reason(error: Exception) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        return f"line {found[2]} has {found[3]} fields where {found[1]} are expected."
    if isinstance(error, ParserWarning):
        return "some lines have more fields than the header."
    return f"{str(error).removeprefix('Error tokenizing data. C error: ').strip().rstrip('.')}."
