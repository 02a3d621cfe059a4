"""Cells of a column of labels or groups: their different values, and which value each row has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.frames import is_missing

#: The label of a row that does not count, as in torch.
IGNORED = -100
#: Texts that stand for a missing label, in lower case.
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>", "nat", "-100", "-100.0"})


@dataclass(frozen=True)
class Cells:
    """A column by its different values.

    Attributes:
        values: the different values that are not missing: ints, bools or texts.
        codes: (n,) the index of each row's value; −1 where it is missing.
    """

    values: tuple[Any, ...]
    codes: np.ndarray

    @cached_property
    def texts(self) -> list[str]:
        """The values as texts."""
        return [str(value) for value in self.values]

    @property
    def is_whole(self) -> bool:
        """Whether every value is an integer, or the text of one."""
        return all(isinstance(value, int) or _whole(value) is not None for value in self.values)

    @property
    def whole(self) -> list[int]:
        """The values as integers."""
        return [int(value) if isinstance(value, int) else int(float(value)) for value in self.values]

    def with_codes(self, codes: Sequence[int] | np.ndarray) -> np.ndarray:
        """(n,) the code of each row's value; −1 where it is missing."""
        table = np.append(np.asarray(codes, dtype=np.int64), -1)
        rows: np.ndarray = table[self.codes]
        return rows


def read_cells(
    array: np.ndarray, where: str, keep: frozenset[str] = frozenset(), ignored: int | None = IGNORED
) -> Cells:
    """The different values of cells (n,), and which are missing.

    Args:
        array: integers, floats, bools, texts or objects.
        where: what holds them, for messages.
        keep: texts that are values although they usually mean a missing one, such as NA.
        ignored: an integer that means a missing value too.

    Raises:
        EvaluationError: a cell is a fraction, infinite, or of no type of a label.
    """
    kind = array.dtype.kind
    if kind == "f":
        return _floats(array, where, ignored)
    if kind in "iub":
        return _coded(array, array == ignored if ignored is not None and kind != "b" else np.zeros(len(array), bool))
    if kind in "UT":
        return _texts(array.astype(object), keep)
    if kind == "S":
        return _texts(np.array([cell.decode("utf-8", "replace") for cell in array], dtype=object), keep)
    if kind == "O":
        return _objects(array, where, keep, ignored)
    raise EvaluationError(f"{where} has labels of the type {array.dtype}; give integers or texts.")


def _coded(array: np.ndarray, missing: np.ndarray) -> Cells:
    values, inverse = np.unique(array[~missing], return_inverse=True)
    codes = np.full(len(array), -1, dtype=np.int64)
    codes[~missing] = inverse
    return Cells(tuple(values.tolist()), codes)


def _floats(array: np.ndarray, where: str, ignored: int | None) -> Cells:
    missing = np.isnan(array)
    bad = ~missing & ~(np.isfinite(array) & (np.floor(array) == array))
    if bad.any():
        row = int(np.argmax(bad))
        raise EvaluationError(
            f"{where} has {array[row]!s} in row {row} (counted from 0), which is no whole number; give one integer label per row."
        )
    missing |= array == ignored if ignored is not None else False
    whole = np.zeros(len(array), dtype=np.int64)
    # A float beyond 2^63 has no integer of this type; it is out of every range anyway.
    whole[~missing] = np.clip(array[~missing].astype(np.float64), -(2.0**62), 2.0**62).astype(np.int64)
    return _coded(whole, missing)


def _texts(array: np.ndarray, keep: frozenset[str]) -> Cells:
    """Texts without blanks around them; a dictionary, since texts of different lengths take much room in an array."""
    known: dict[str, int] = {}
    codes = np.empty(len(array), dtype=np.int64)
    for row, cell in enumerate(array):
        text = "" if is_missing(cell) else str(cell).strip()
        is_none = text.lower() in _MISSING and text not in keep
        codes[row] = -1 if is_none else known.setdefault(text, len(known))
    return Cells(tuple(known), codes)


def _objects(array: np.ndarray, where: str, keep: frozenset[str], ignored: int | None) -> Cells:
    """Objects of one type, some of them missing."""
    cells = [None if is_missing(cell) else cell for cell in array.tolist()]
    types = {_type(cell) for cell in cells if cell is not None}
    if types == {"text"}:
        return _texts(array, keep)
    if types <= {"integer", "number"}:
        return _floats(np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64), where, ignored)
    if types == {"bool"}:
        whole = np.array([bool(cell) for cell in cells])
        return _coded(whole, np.array([cell is None for cell in cells]))
    raise EvaluationError(f"{where} has labels of the types {', '.join(sorted(types))}; give integers or texts alone.")


def _type(cell: Any) -> str:
    if isinstance(cell, (bool, np.bool_)):
        return "bool"
    if isinstance(cell, (int, np.integer)):
        return "integer"
    if isinstance(cell, (float, np.floating)):
        return "number"
    return "text" if isinstance(cell, str) else type(cell).__name__


def _whole(value: Any) -> int | None:
    """The integer of a text such as 3 or 3.0."""
    try:
        number = float(value)
    except ValueError:
        return None
    return int(number) if np.isfinite(number) and number == np.floor(number) else None
