"""A table from a CSV file: its separator, its columns, and the target column as the text that is in the file."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pandas as pd
from pandas.errors import EmptyDataError, ParserError, ParserWarning

from lastlayer.findings import Finding
from lastlayer.study.data.names import check_names
from lastlayer.study.data.numbers import are_numbers
from lastlayer.study.data.text_file import TextFile
from lastlayer.study.error import StudyError

#: Column separators that a CSV file may use instead of the comma.
_SEPARATORS = (",", ";", "\t", "|")
#: Records, the header among them, that a separator is judged by.
_RECORDS = 20
#: How lines begin that other programs write above a table.
_COMMENT = re.compile(r"#|%|//|;;")


def read_csv(file: TextFile, target: str | None) -> tuple[pd.DataFrame, list[Finding]]:
    """The table; the cells of the target column as they are written, and as missing only where they are empty.

    Comments above the header are left out, and a finding says so.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no CSV file, or two columns share a name.
    """
    try:
        comments = _comments(file)
        findings = (
            [Finding("comment_lines_left_out", facts={"file": file.name, **comments})] if comments["lines"] else []
        )
        reader = _Reader(file, comments["lines"], "")
        reader = _Reader(file, comments["lines"], _separator(reader))
        frame = reader.parse()
        # Where the comma is the decimal sign, the semicolon is the separator.
        if reader.separator == ";":
            continental = reader.parse(decimal=",")
            frame = continental if _count_numeric(continental) > _count_numeric(frame) else frame
        frame = _with_large_integers(frame)
        if target is not None and target in frame.columns:
            frame[target] = reader.parse_text(target)
        return frame, findings
    except (UnicodeDecodeError, UnicodeError) as error:
        raise StudyError(
            f"{file.name} is no text in the encoding {file.encoding} ({_place(error)}); name another one with --encoding, or save the file as UTF-8."
        ) from error
    except EmptyDataError as error:
        raise StudyError(
            f"{file.name} is empty; give a table with a header line and one line for each example."
        ) from error
    except (ParserError, ParserWarning, csv.Error) as error:
        raise StudyError(
            f"{file.name} cannot be read as CSV: {_reason(error)} Mend these lines or save the table again."
        ) from error


class _Reader:
    """A file whose first lines are skipped, with its separator."""

    def __init__(self, file: TextFile, skipped: int, separator: str) -> None:
        self.file, self.skipped, self.separator = file, skipped, separator

    def parse(self, decimal: str = ".", **options: Any) -> pd.DataFrame:
        with warnings.catch_warnings(), self.file.open() as binary:
            # Lines longer than the header are cut with a warning; here that is an error.
            warnings.simplefilter("error", ParserWarning)
            return pd.read_csv(
                binary,
                sep=self.separator,
                decimal=decimal,
                encoding=self.file.encoding,
                index_col=False,
                low_memory=False,
                skipinitialspace=True,
                skiprows=self.skipped or None,
                **options,
            )

    def parse_text(self, column: str) -> pd.Series:
        """One column as text: pandas would make 1 of 01, round large integers, and take the word None for an empty cell.

        This takes a second pass, since pandas is slow where many columns have different missing words.
        """
        frame = self.parse(usecols=[column], dtype={column: str}, keep_default_na=False, na_values=[""])
        return frame[column]

    def records(self, separator: str) -> Iterator[list[str]]:
        """The header and a few more records; ends early where a field is too long to be one, as under a wrong separator."""
        with _text(self.file) as text:
            lines = csv.reader(islice(text, self.skipped, None), delimiter=separator, skipinitialspace=True)
            records = (record for record in lines if len(record) > 1 or any(field.strip() for field in record))
            try:
                yield from islice(records, _RECORDS)
            except csv.Error:
                return


def _text(file: TextFile) -> io.TextIOWrapper:
    # The encoding first: it may raise, which would leave the file open.
    encoding = file.encoding
    return io.TextIOWrapper(file.open(), encoding=encoding, newline="")


def _comments(file: TextFile) -> dict[str, Any]:
    """How many lines above the header are comments, and how the first begins.

    A line that begins with # and has as many fields as the next one is the header. Raises EmptyDataError where there is no text.
    """
    with _text(file) as text:
        lines = list(islice(text, 200))
        if not any(line.strip() for line in lines) and not any(line.strip() for line in text):
            raise EmptyDataError
    first = lines[0].strip() if lines else ""
    count = 0
    while count < len(lines) and _COMMENT.match(lines[count].lstrip()):
        count += 1
    if count and count < len(lines):
        last, following = lines[count - 1], lines[count]
        if any(separator in last and last.count(separator) == following.count(separator) for separator in _SEPARATORS):
            count -= 1
    return {"lines": count, "first": first[:60]}


def _count_numeric(frame: pd.DataFrame) -> int:
    return frame.select_dtypes("number").shape[1]


def _with_large_integers(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that pandas left as text only because an integer exceeds 64 bits, as float64."""
    for column in [column for column, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]:
        known = frame[column].dropna()
        if not known.size or not isinstance(known.iloc[0], str):
            continue
        # The first cell first: few columns of words begin with a number.
        if all(pd.to_numeric(cells, errors="coerce").notna().all() for cells in (known.iloc[:1], known)):
            frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    return frame


def _separator(reader: _Reader) -> str:
    """The separator under which most of the first records have as many fields as the header; of equals, the most fields.

    Separators inside quotes are no separators. Raises StudyError where two columns share a name.
    """
    found: dict[str, list[list[str]]] = {}
    for separator in _SEPARATORS:
        records = list(reader.records(separator))
        if records:
            found[separator] = records
    if not found:
        raise csv.Error("a field of the header line is longer than 128 KiB, so a quote may be open")

    def fit(separator: str) -> tuple[int, int]:
        header, *rows = found[separator]
        return (1 + sum(len(row) == len(header) for row in rows), len(header)) if len(header) > 1 else (0, 0)

    best = max(found, key=fit)
    _check_header([name.strip() for name in found[best][0]], reader.file.name)
    check_names([name.strip() for name in found[best][0]], reader.file.name)
    return best


def _check_header(names: list[str], table: str) -> None:
    """Raise StudyError where the first line is one of data: most names are numbers, and they repeat or have fractions."""
    numbers = [name for name, is_number in zip(names, are_numbers(names), strict=True) if is_number]
    if 2 * len(numbers) > len(names) and (len(set(numbers)) < len(numbers) or any("." in name for name in numbers)):
        raise StudyError(
            f"The first line of {table} holds numbers ({', '.join(numbers[:3])}, …), no names of columns; write a line with names above it."
        )


def _place(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.object[error.start]:#04x}"
    return str(error)


def _reason(error: Exception) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        return f"line {found[2]} has {found[3]} fields where {found[1]} are expected."
    if isinstance(error, ParserWarning):
        return "some lines have more fields than the header."
    return f"{str(error).removeprefix('Error tokenizing data. C error: ').strip().rstrip('.')}."
