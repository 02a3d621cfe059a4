"""A table from a CSV or Parquet file, with an error sentence for each way this can fail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.csv_file import read_csv
from lastlayer.study.data.parquet_file import read_parquet
from lastlayer.study.error import StudyError

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Table:
    """Columns with distinct names, and what was left out."""

    frame: pd.DataFrame
    findings: tuple[Finding, ...] = ()


def read_table(path: Path, target: str | None = None) -> Table:
    """The table in a .csv or .parquet file.

    The separator of a CSV file may be a comma, semicolon, tab or bar. A first column without a name that only numbers the
    rows, as pandas writes it, is left out, and a finding says so: rows are often sorted by class.

    The column `target` holds what is in the file: text as it is written in a .csv file, the type of a .parquet file.

    Raises:
        StudyError: the file is not there, not readable, empty, or has two columns of one name.
    """
    if path.is_dir():
        raise StudyError(f"{path} is a folder; give a .csv or .parquet file.")
    if not path.exists():
        raise StudyError(f"There is no file {path}; check the name, and that you are in the folder you mean.")
    try:
        frame = (read_csv if path.suffix.lower() == ".csv" else read_parquet)(path, target)
    except OSError as error:
        raise StudyError(f"{path} cannot be read ({error.strerror or error}); check that you may read it.") from error
    if frame.empty:
        raise StudyError(f"{path.name} has no rows; give a table with a header line and one line for each example.")
    return _without_row_numbers(frame, path)


def _without_row_numbers(frame: pd.DataFrame, path: Path) -> Table:
    first = str(frame.columns[0])
    values = frame.iloc[:, 0]
    if not re.fullmatch(r"Unnamed: 0|__index_level_0__|", first) or values.dtype.kind not in "iu":
        return Table(frame)
    numbers = np.arange(len(frame))
    if not any(np.array_equal(values.to_numpy(), numbers + start) for start in (0, 1)):
        return Table(frame)
    return Table(frame.drop(columns=frame.columns[0]), (Finding("row_numbers_left_out", facts={"file": path.name}),))
