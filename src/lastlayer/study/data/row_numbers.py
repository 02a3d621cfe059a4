"""A column that only numbers the rows, as exports write it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

#: Names that pandas, R and Parquet give to the numbers of rows; an unnamed column of a file is called "Unnamed: 0" by pandas.
_NAMES = re.compile(r"|Unnamed: 0(\.\d+)?|__index_level_0__|row[ ._]?names?|index", re.IGNORECASE)


def is_row_numbers(column: pd.Series) -> bool:
    """Whether a column has no name, or one of an export, and holds distinct whole numbers: the rows' own, or those of a larger table."""
    if not _NAMES.fullmatch(str(column.name).strip()) or column.isna().any():
        return False
    values = column.to_numpy()
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        return False
    return values.dtype.kind in "iuf" and bool(values.min() >= 0) and column.is_unique
