"""The columns of a table: their names, and which of them can be studied, with numbers as float64."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path

import numpy as np
import pandas as pd

from lastlayer.study.error import StudyError

_SCALARS = (
    str,
    bytes,
    bool,
    int,
    float,
    complex,
    np.generic,
    decimal.Decimal,
    datetime.date,
    datetime.time,
    datetime.timedelta,
)


def check_names(names: list[str], path: Path) -> None:
    """Raise StudyError where two columns share a name."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise StudyError(
                f"{path.name} has more than one column named {name!r}; give each column a name of its own."
            )
        seen.add(name)


def check_features(features: pd.DataFrame, name: str) -> pd.DataFrame:
    """The features with every numeric column as float64, missing values as NaN.

    Raises:
        StudyError: there is no column, or one has no values, infinite values, or lists in its cells.
    """
    if features.shape[1] == 0:
        raise StudyError(f"{name} has no column except the target; give at least one to predict from.")
    return pd.DataFrame({column: _check(features[column], name) for column in features.columns}, index=features.index)


def _check(column: pd.Series, name: str) -> pd.Series:
    known = column.dropna()
    if known.empty:
        raise StudyError(f"Column {column.name!r} of {name} has no values at all; remove it from the file.")
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _check_finite(column.astype("float64"), name)
    if column.dtype == object:
        odd = next((value for value in known if not isinstance(value, _SCALARS)), None)
        if odd is not None:
            raise StudyError(
                f"Column {column.name!r} of {name} holds {type(odd).__name__} values; "
                "a study needs one number, text or date in each cell."
            )
        if all(isinstance(value, decimal.Decimal) for value in known):
            return _check_finite(column.astype("float64"), name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object)
    return column


def _check_finite(column: pd.Series, name: str) -> pd.Series:
    infinite = np.flatnonzero(np.isinf(column.to_numpy()))
    if infinite.size:
        raise StudyError(
            f"Column {column.name!r} of {name} has an infinite value in row {infinite[0] + 1}; "
            "put a finite number there, or leave it empty."
        )
    return column
