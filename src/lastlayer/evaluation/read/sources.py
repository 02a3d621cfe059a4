"""What a file or an object holds: one array, several arrays with names, or the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OneArray:
    """An array without a name."""

    name: str
    array: np.ndarray


@dataclass(frozen=True)
class NamedArrays:
    """Arrays by name; each is loaded when it is asked for."""

    name: str
    names: tuple[str, ...]
    load: Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Table:
    """Columns of one length, by index.

    Attributes:
        name: the file's name, or "table".
        columns: the names of the columns; "0", "1", … if the file has no header line.
        has_names: whether the names come from the user.
        numbers: the columns with these indices, as numbers (n, columns); EvaluationError if a cell is none.
        cells: the column with this index, (n,): numbers, or texts as the file has them; None or NaN for an empty cell.
    """

    name: str
    columns: tuple[str, ...]
    has_names: bool
    numbers: Callable[[Sequence[int]], np.ndarray]
    cells: Callable[[int], np.ndarray]


Source = OneArray | NamedArrays | Table
