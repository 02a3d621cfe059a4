"""A table from a text file: .csv, .tsv, .txt, as they are or packed as .gz."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError, ParserWarning

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.frames import check_names, number_column
from lastlayer.evaluation.read.names import is_label_name
from lastlayer.evaluation.read.sources import Table
from lastlayer.evaluation.read.text_head import Head, is_number, open_text, read_head

#: Numbers that are parsed at a time.
_CHUNK = 1 << 21
#: Columns up to which all are parsed for the sake of one.
_NARROW = 32


def open_csv(path: Path, n_rows: int | None = None) -> Table:
    """The columns of a text file.

    A first line of numbers is a row, unless it counts 0, 1, … as pandas names columns. A file of one column has a header line if
    it has one line more than there are rows, or, where that is not known, if the first line is no number.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no text, or two columns share a name.
    """
    head = read_head(path)
    if head.separator is None:
        return _one_column(path, head, n_rows)
    columns = head.names or tuple(map(str, range(head.width)))
    check_names(columns, path.name)
    return Table(
        path.name,
        columns,
        head.names is not None,
        lambda indices: _numbers(path, head, columns, indices),
        lambda i: _cells(path, head, columns, i),
    )


def _one_column(path: Path, head: Head, n_rows: int | None) -> Table:
    with open_text(path, head.encoding) as text:
        for _ in range(head.skipped):
            text.readline()
        fields = [record[0].strip() if record else "" for record in csv.reader(text, delimiter="\t")]
    # Empty lines are rows without a value, except after the last one.
    most = 0 if n_rows is None else n_rows + is_label_name(fields[0])
    while len(fields) > most and not fields[-1]:
        fields.pop()
    is_header = not is_number(fields[0]) if n_rows is None else len(fields) == n_rows + 1
    name, rows = (fields[0], fields[1:]) if is_header else ("0", fields)
    cells = np.array([field or None for field in rows], dtype=object)

    def numbers(_: Sequence[int]) -> np.ndarray:
        parsed = [None if cell is None else float(cell) if is_number(cell) else cell for cell in cells]
        return number_column(np.array(parsed, dtype=object), name, path.name)[:, None]

    return Table(path.name, (name,), is_header, numbers, lambda _: cells)


def _numbers(path: Path, head: Head, columns: Sequence[str], indices: Sequence[int]) -> np.ndarray:
    """(n, columns) float64, parsed in chunks of rows."""
    found: list[np.ndarray] = []
    names = [columns[i] for i in indices]
    with _parsing(path, head, columns, None, max(1, _CHUNK // head.width)) as chunks:
        for chunk in chunks:
            for name in [name for name in names if chunk[name].dtype.kind not in "fiu"]:
                _refuse_text(chunk[name], name, path.name)
            # Columns without a value in this chunk are text for pandas.
            found.append(chunk[names].to_numpy(dtype=np.float64, na_value=np.nan))
    return np.concatenate(found) if found else np.empty((0, len(indices)))


def _refuse_text(cells: Any, column: str, table: str) -> None:
    known = cells.dropna()
    if len(known):
        bad = known[[not is_number(str(cell)) or isinstance(cell, bool) for cell in known]]
        row, cell = (bad if len(bad) else known).index[0], (bad if len(bad) else known).iloc[0]
        raise EvaluationError(
            f"The column {column!r} of {table} has {str(cell)!r} in row {row} (counted from 0), which is no number; keep one column "
            "of numbers per class, and name the labels’ column with target (--target)."
        )


def _cells(path: Path, head: Head, columns: Sequence[str], index: int) -> np.ndarray:
    """One column as the texts in the file; an empty cell is NaN."""
    name = columns[index]
    options = {"dtype": {name: str}, "keep_default_na": False, "na_values": [""]}
    used = [name] if head.width > _NARROW else None
    with _parsing(path, head, columns, used, None, **options) as frame:
        cells: np.ndarray = frame[name].to_numpy(dtype=object)
    return cells


@contextmanager
def _parsing(
    path: Path, head: Head, columns: Sequence[str], used: list[str] | None, rows: int | None, **options: Any
) -> Iterator[Any]:
    """The columns `used`, or all, as a frame, or as chunks of that many rows; the errors of pandas as one sentence.

    pandas refuses rows that are too long only where it reads all columns.
    """
    with open_text(path, head.encoding) as text, warnings.catch_warnings():
        # Lines longer than the header are cut with a warning; here that is an error.
        warnings.simplefilter("error", ParserWarning)
        for _ in range(head.skipped + (head.names is not None)):
            text.readline()
        try:
            yield pd.read_csv(
                text,
                sep=head.separator,
                decimal=head.decimal,
                header=None,
                names=list(columns),
                usecols=used,
                index_col=False,
                skipinitialspace=True,
                chunksize=rows,
                **options,
            )
        except EmptyDataError as error:
            raise EvaluationError(f"{path.name} has no rows; write it again.") from error
        except (ParserError, ParserWarning) as error:
            reason = str(error).removeprefix("Error tokenizing data. C error: ").strip().rstrip(".")
            raise EvaluationError(
                f"{path.name} cannot be read as a table ({reason}); mend these lines, or save it again."
            ) from error
