"""Names of columns: each occurs once, and one that is asked for is found or answered with the nearest."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from lastlayer.study.error import StudyError

#: Columns that a message names.
_SHOWN = 20


def check_names(names: Sequence[str], table: str) -> None:
    """Raise StudyError where two columns share a name."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise StudyError(f"{table} has more than one column named {name!r}; give each column a name of its own.")
        seen.add(name)


def find_column(name: Any, columns: Sequence[str], table: str) -> str:
    """The column of that name.

    Raises:
        StudyError: there is none; the message has the nearest name, or all of them.
    """
    if str(name) in columns:
        return str(name)
    asked = str(name).strip().casefold()
    same = [column for column in columns if column.strip().casefold() == asked]
    if same:
        raise StudyError(
            f"{table} has no column {str(name)!r}; did you mean {same[0]!r}? Capitals and blanks count in a name."
        )
    near = difflib.get_close_matches(str(name), columns, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {shown(columns)}."
    raise StudyError(f"{table} has no column {str(name)!r}; {hint}")


def shown(columns: Sequence[str]) -> str:
    """The first columns, and how many more there are."""
    return ", ".join(columns[:_SHOWN]) + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")


def is_name(value: Any) -> bool:
    """Whether a value is one name and no array of labels."""
    return isinstance(value, (str, bytes)) or np.ndim(value) == 0
