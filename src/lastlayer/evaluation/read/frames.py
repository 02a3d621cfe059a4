"""Tables of pandas and polars, by what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.sources import Table


def is_frame(values: Any) -> bool:
    """Whether this is a DataFrame of pandas or polars, or a Series."""
    return type(values).__name__ in ("DataFrame", "Series", "LazyFrame") and hasattr(values, "to_numpy") | hasattr(
        values, "collect"
    )


def frame_table(frame: Any) -> Table:
    """The columns of a frame; a Series is a table of one column.

    Raises:
        EvaluationError: it is lazy, or two columns share a name.
    """
    if hasattr(frame, "collect"):
        raise EvaluationError("The data are a lazy table; give its rows: .collect().")
    if type(frame).__name__ == "Series":
        name = "" if frame.name is None else str(frame.name)
        return Table("series", (name,), bool(name), lambda _: _numbers([(name, frame)]), lambda _: _cells(frame))
    columns = tuple(map(str, frame.columns))
    check_names(columns, "The table")
    known = list(frame.columns)
    return Table(
        "table",
        columns,
        True,
        lambda indices: _numbers([(columns[i], frame[known[i]]) for i in indices]),
        lambda i: _cells(frame[known[i]]),
    )


def check_names(columns: Sequence[str], name: str) -> None:
    """Raise EvaluationError if two columns share a name."""
    if len(set(columns)) < len(columns):
        twice = next(column for i, column in enumerate(columns) if column in columns[:i])
        raise EvaluationError(f"{name} has two columns {twice!r}; give each class one column with a name of its own.")


def _cells(column: Any) -> np.ndarray:
    cells: np.ndarray = column.to_numpy()
    return cells


def _numbers(columns: list[tuple[str, Any]]) -> np.ndarray:
    """The columns side by side, in the type that holds them all."""
    found = [number_column(_cells(column), name, "the table") for name, column in columns]
    array = np.empty((len(found[0]), len(found)), np.result_type(*(column.dtype for column in found)))
    for i, column in enumerate(found):
        array[:, i] = column
    return array


def number_column(cells: np.ndarray, column: str, table: str) -> np.ndarray:
    """The cells as numbers; None and NA become NaN.

    Raises:
        EvaluationError: a cell is no number.
    """
    if cells.dtype.kind in "fiu":
        return cells
    for row, cell in enumerate(cells):
        if isinstance(cell, (bool, np.bool_)) or not (is_missing(cell) or isinstance(cell, (int, float, np.number))):
            raise EvaluationError(
                f"The column {column!r} of {table} has {str(cell)!r} in row {row} (counted from 0), which is no number; keep one "
                "column of numbers per class, and name the labels’ column with target (--target)."
            )
    return np.array([np.nan if is_missing(cell) else cell for cell in cells], dtype=np.float64)


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, or the NA or NaT of pandas."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)
