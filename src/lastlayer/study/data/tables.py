"""A table from a file of any kind that is read here, with an error sentence for each way this can fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.arrow_files import read_feather, read_parquet
from lastlayer.study.data.csv_file import read_csv
from lastlayer.study.data.excel_file import ENGINES, read_excel
from lastlayer.study.data.json_file import read_json
from lastlayer.study.data.odd_rows import without_odd_rows
from lastlayer.study.data.text_file import TextFile, zip_suffix
from lastlayer.study.error import StudyError

CSV = (".csv", ".tsv", ".txt", ".tab", ".dat")
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow", ".ipc")
PACKINGS = {".gz": "gzip", ".zip": "zip"}
TABLES = (*CSV, ".json", *JSON_LINES, *PARQUET, *FEATHER, *ENGINES)
ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Table:
    """Columns with distinct names, and what was left out; `is_text` where every cell of the target is text from a file."""

    frame: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    is_text: bool = False


def suffix_of(path: Path) -> tuple[str, str]:
    """What the file holds, as a suffix, and how it is packed: .csv.gz is (".csv", "gzip"); a .zip holds what its one file does."""
    suffix = path.suffix.lower()
    if suffix not in PACKINGS:
        return suffix, ""
    inner = Path(path.stem).suffix.lower()
    if suffix == ".zip" and inner not in TABLES and path.is_file():
        inner = zip_suffix(path)
    return inner, PACKINGS[suffix]


def read_table(path: Path, target: str | None = None, encoding: str | None = None) -> Table:
    """The table in a file.

    The separator of a CSV file may be a comma, semicolon, tab or bar. Comments above the header, a second header line with
    units, and a last row of totals are left out, and a finding says so.

    The column `target` holds what is in the file: text as it is written in a .csv file, the type of a .parquet file.

    Raises:
        StudyError: the file is not there, not readable, empty, or has two columns of one name.
    """
    if path.is_dir():
        raise StudyError(f"{path} is a folder; give the .csv or .parquet file in it.")
    if not path.exists():
        raise StudyError(f"There is no file {path}; check the name, and that you are in the folder you mean.")
    suffix, packing = suffix_of(path)
    try:
        table = _read(path, suffix, packing, target, encoding)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        remedy = "check that it was packed and copied whole" if packing else "check that you may read it"
        raise StudyError(f"{path} cannot be read ({reason}); {remedy}.") from error
    if table.frame.shape[0] == 0 or table.frame.shape[1] == 0:
        raise StudyError(f"{path.name} has no rows; give a table with a header line and one line for each example.")
    return table


def read_stdin(target: str | None, encoding: str | None) -> Table:
    """The CSV table on standard input."""
    return _read_text(TextFile("standard input", None, asked=encoding), target)


def _read(path: Path, suffix: str, packing: str, target: str | None, encoding: str | None) -> Table:
    if suffix in CSV:
        return _read_text(TextFile(path.name, path, packing, encoding), target)
    if suffix == ".json" or suffix in JSON_LINES:
        file = TextFile(path.name, path, packing, encoding)
        return Table(read_json(file, suffix in JSON_LINES), file.findings())
    if packing:
        raise StudyError(f"{path.name} is packed; unpack it first, since only text files are read from .gz and .zip.")
    if suffix in ENGINES:
        frame, findings = read_excel(path)
        frame, more = without_odd_rows(frame, path.name)
        return Table(frame, (*findings, *more))
    return Table((read_parquet if suffix in PARQUET else read_feather)(path, target))


def _read_text(file: TextFile, target: str | None) -> Table:
    frame, findings = read_csv(file, target)
    if frame.empty:
        raise StudyError(f"{file.name} has no rows; give a table with a header line and one line for each example.")
    frame, more = without_odd_rows(frame, file.name)
    return Table(frame, (*file.findings(), *findings, *more), is_text=True)
