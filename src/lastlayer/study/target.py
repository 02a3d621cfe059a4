"""From a target column to class labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lastlayer.study.error import StudyError

#: A numeric target with more distinct values than this may be a quantity instead of classes.
_MANY = 20


@dataclass(frozen=True)
class Classes:
    """Labels from 0 to K − 1 of the rows whose target is known, and the names of the classes."""

    labels: np.ndarray
    names: tuple[str, ...]
    is_known: np.ndarray
    notes: tuple[str, ...] = ()


def read_classes(column: pd.Series, name: str) -> Classes:
    """The classes in a target column: strings, integers, booleans, or numbers with few distinct values.

    Numbers are ordered by value, everything else as text. Rows without a value are left out, and a note says so.

    Raises:
        StudyError: no value, one class alone, or a quantity for regression.
    """
    is_known = column.notna().to_numpy()
    known = column[is_known]
    if known.empty:
        raise StudyError(f"Column {column.name!r} of {name} has no values; choose another --target or fill it in.")
    values = _plain(known)
    uniques = _ordered(values)
    _check(uniques, values, column.name, name)
    labels = np.asarray(pd.Categorical(values, categories=uniques).codes, dtype=np.int64)
    missing = len(column) - len(known)
    note = (
        f"{missing} of {len(column)} rows have no value in {str(column.name)!r} (an empty cell, or a word such as NA or None) "
        "and were left out."
    )
    return Classes(labels, tuple(str(value) for value in uniques), is_known, (note,) if missing else ())


def _plain(known: pd.Series) -> pd.Series:
    """Whole numbers as integers (missing values made them floats), other numbers as they are, the rest as text."""
    if pd.api.types.is_bool_dtype(known) or not pd.api.types.is_numeric_dtype(known):
        return known.astype(str)
    numbers = known.astype(float)
    is_whole = np.isfinite(numbers).all() and (numbers == numbers.round()).all() and (numbers.abs() < 2**53).all()
    return known.astype("int64") if is_whole else numbers


def _ordered(values: pd.Series) -> list[object]:
    return sorted(values.unique().tolist())


def _check(uniques: list[object], values: pd.Series, column: object, name: str) -> None:
    if len(uniques) < 2:
        raise StudyError(
            f"Column {column!r} of {name} holds one class alone ({uniques[0]}); a study needs at least two. "
            "Choose another --target or add rows of another class."
        )
    is_number = values.dtype.kind in "if"
    has_fractions = values.dtype.kind == "f"
    if is_number and len(uniques) > _MANY and (has_fractions or values.value_counts().median() < 5):
        raise StudyError(
            f"Column {column!r} of {name} holds {len(uniques)} distinct numbers, from {uniques[0]} to {uniques[-1]}: "
            "a quantity, not classes. Choose another --target, or cut it into a few ranges first."
        )
