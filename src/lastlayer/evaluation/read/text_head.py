"""The first lines of a text file: its encoding, its separator, and whether it has a header line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.names import is_label_name

_SEPARATORS = (",", ";", "\t", "|")
#: The separator of columns of blanks, for pandas.
BLANKS = r"\s+"
#: Lines and characters that a file is judged by.
_LINES, _CHARACTERS = 200, 1 << 22
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Head:
    """How a text file is to be read.

    Attributes:
        encoding: of its bytes.
        skipped: comment lines above the table.
        separator: between columns; None if there is one column.
        decimal: the decimal sign.
        names: the header line; None without one.
        width: columns.
    """

    encoding: str
    skipped: int
    separator: str | None
    decimal: str
    names: tuple[str, ...] | None
    width: int


def read_head(path: Path) -> Head:
    """Look at the first lines of a text file.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no text.
    """
    encoding = _encoding(path)
    with open_text(path, encoding) as text:
        lines: list[str] = []
        size = 0
        while len(lines) < _LINES and size < _CHARACTERS and (line := text.readline(_CHARACTERS)):
            lines.append(line)
            size += len(line)
    skipped = 0
    while skipped < len(lines) and (not lines[skipped].strip() or lines[skipped].lstrip().startswith("#")):
        skipped += 1
    kept = [line for line in lines[skipped:] if line.strip()]
    if not kept:
        raise EvaluationError(f"{path.name} has no rows; write it again.")
    separator = _separator(kept)
    records = _records(kept, separator)
    decimal = "," if separator == ";" and _has_decimal_commas(records) else "."
    names = tuple(records[0]) if separator is not None and _is_header(records, decimal) else None
    return Head(encoding, skipped, separator, decimal, names, len(records[0]))


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The text of a file, unpacked.

    Raises:
        EvaluationError: the bytes are no text in this encoding, or the file is damaged.
    """
    try:
        with (
            gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as binary,
            io.TextIOWrapper(binary, encoding=encoding, newline="") as text,  # type: ignore[type-var]
        ):
            yield text
    except UnicodeError as error:
        raise EvaluationError(f"{path.name} is no text in the encoding {encoding}; save it as UTF-8.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EvaluationError(f"{path.name} is no whole .gz file; pack it again, or give it unpacked.") from error


def _encoding(path: Path) -> str:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        try:
            head = file.read(4096)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise EvaluationError(f"{path.name} is no whole .gz file; pack it again, or give it unpacked.") from error
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        raise EvaluationError(f"{path.name} is no text, whatever its name says; give it under the name of its format.")
    try:
        # A character may be cut at the end.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _records(lines: Sequence[str], separator: str | None) -> list[list[str]]:
    if separator == BLANKS:
        return [line.split() for line in lines]
    try:
        return [
            [field.strip() for field in record]
            for record in csv.reader(lines, delimiter=separator or "\t", skipinitialspace=True)
            if record
        ]
    except csv.Error:
        return [[line.strip()] for line in lines]


def _separator(lines: Sequence[str]) -> str | None:
    """The separator under which all lines have as many fields as the first; of equals, the most fields."""
    found = {}
    for separator in _SEPARATORS:
        widths = [len(record) for record in _records(lines, separator)]
        # A few odd lines are an error to be shown by the reader, not another separator.
        if widths[0] > 1 and 2 * widths.count(widths[0]) > len(widths):
            found[separator] = (widths.count(widths[0]), widths[0])
    if found:
        return max(found, key=lambda separator: found[separator])
    fields = [line.split() for line in lines]
    # The first line may be a header; words with blanks in them are one label.
    is_numeric = all(is_number(field) for record in fields[1:] or fields for field in record)
    return BLANKS if is_numeric and {len(record) for record in fields} == {len(fields[0])} != {1} else None


def _has_decimal_commas(records: Sequence[Sequence[str]]) -> bool:
    fields = [field for record in records[1:] or records for field in record if "," in field]
    return bool(fields) and all(is_number(field, ",") for field in fields)


def _is_header(records: Sequence[Sequence[str]], decimal: str) -> bool:
    first, rows = records[0], [record for record in records[1:] if len(record) == len(records[0])]
    is_text = [not is_number(field, decimal) for field in first]
    if any(is_text):
        # A name above numbers; or all names, some of them above texts.
        if all(is_text) or any(is_label_name(field) for field in first):
            return True
        # An empty field says nothing: it may be a missing label.
        columns = [j for j, text in enumerate(is_text) if text and first[j]]
        above_numbers = any(all(is_number(row[j], decimal) or not row[j] for row in rows) for j in columns)
        return bool(rows) and (
            above_numbers or _counts([field for field, text in zip(first, is_text, strict=True) if not text])
        )
    # Numbers alone are names only as pandas writes columns without names, 0, 1, …, above numbers that are not whole.
    return _counts(first) and any("." in field or "e" in field.lower() for row in rows for field in row)


def _counts(fields: Sequence[str]) -> bool:
    """Whether these are 0, 1, … or 1, 2, … in order."""
    return list(fields) in ([str(i) for i in range(len(fields))], [str(i + 1) for i in range(len(fields))])


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a field is a number; "nan" and "inf" are."""
    if "_" in text or (decimal != "." and "." in text):
        return False
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return True
