"""A table from a CSV or Parquet file, with an error sentence for each way this can fail."""

from __future__ import annotations

import csv
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.errors import EmptyDataError, ParserError, ParserWarning

from lastlayer.study.error import StudyError

SUFFIXES = (".csv", ".parquet")
#: Column separators that a CSV file may use instead of the comma.
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Table:
    """Columns with distinct names, and notes on what was left out."""

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """The table in a .csv or .parquet file.

    The separator of a CSV file may be a comma, semicolon, tab or bar. A first column without a name that only numbers the
    rows, as pandas writes it, is left out, and a note says so: rows are often sorted by class.

    Raises:
        StudyError: the file is not there, not readable, empty, or has two columns of one name.
    """
    if path.is_dir():
        raise StudyError(f"{path} is a folder; give a .csv or .parquet file.")
    if not path.exists():
        raise StudyError(f"There is no file {path}; check the name, and that you are in the folder you mean.")
    try:
        frame = _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    except OSError as error:
        raise StudyError(f"{path} cannot be read ({error.strerror or error}); check that you may read it.") from error
    if frame.empty:
        raise StudyError(f"{path.name} has no rows; give a table with a header line and one line for each example.")
    return _without_row_numbers(frame, path)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        # By its schema first: pandas would rename or refuse columns that share a name.
        _check_names([str(name) for name in pq.read_schema(path).names], path)
        frame = pd.read_parquet(path)
    except (pa.ArrowException, EOFError) as error:
        raise StudyError(
            f"{path.name} is not a readable Parquet file; write it again, or save the table as .csv."
        ) from error
    return frame.rename(columns=str)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        separator = _separator(path)
        frame = _parse(path, separator, decimal=".")
        if separator != ";":
            return frame
        # Where the comma is the decimal sign, the semicolon is the separator.
        continental = _parse(path, separator, decimal=",")
        return continental if _count_numeric(continental) > _count_numeric(frame) else frame
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


def _parse(path: Path, separator: str, decimal: str) -> pd.DataFrame:
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
        )


def _count_numeric(frame: pd.DataFrame) -> int:
    return frame.select_dtypes("number").shape[1]


def _separator(path: Path) -> str:
    """The separator of the header line; columns named twice are an error."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = file.read(1 << 16)
    if not start.strip():
        raise EmptyDataError
    line = next(line for line in start.splitlines() if line.strip())
    separator = max(_SEPARATORS, key=line.count)
    names = [name.strip() for name in next(csv.reader(start.lstrip().splitlines(keepends=True), delimiter=separator))]
    _check_names(names, path)
    return separator


def _check_names(names: list[str], path: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise StudyError(
                f"{path.name} has more than one column named {name!r}; give each column a name of its own."
            )
        seen.add(name)


def _reason(error: Exception) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        return f"line {found[2]} has {found[3]} fields where {found[1]} are expected."
    if isinstance(error, ParserWarning):
        return "some lines have more fields than the header."
    return f"{str(error).removeprefix('Error tokenizing data. C error: ').strip().rstrip('.')}."


def _without_row_numbers(frame: pd.DataFrame, path: Path) -> Table:
    first = str(frame.columns[0])
    values = frame.iloc[:, 0]
    if not re.fullmatch(r"Unnamed: 0|__index_level_0__|", first) or values.dtype.kind not in "iu":
        return Table(frame)
    numbers = np.arange(len(frame))
    if not any(np.array_equal(values.to_numpy(), numbers + start) for start in (0, 1)):
        return Table(frame)
    note = f"The first column of {path.name} has no name and only numbers the rows, so it was left out."
    return Table(frame.drop(columns=frame.columns[0]), (note,))
