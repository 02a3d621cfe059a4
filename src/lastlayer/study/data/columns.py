"""The columns of a table: how each is read, and which are features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.forms import ColumnForm, LearntForm, apply_form, infinite_rows, learn_form
from lastlayer.study.data.placeholders import text_findings
from lastlayer.study.data.row_numbers import is_row_numbers
from lastlayer.study.data.sentinels import sentinel_in
from lastlayer.study.error import StudyError

FEATURE, GROUP, TIME = "feature", "group", "time"
EMPTY, CONSTANT, DUPLICATE, ROW_NUMBERS, DROPPED = "empty", "constant", "duplicate", "row_numbers", "dropped"
#: Columns and rows that a finding names.
_NAMED = 20
#: Characters of a cell that the table of columns shows.
_EXAMPLE = 40


@dataclass
class ReadColumns:
    """The features of a table, with a form for each, and a row for each column of the table.

    Attributes:
        features: (n, d) float64, datetime64[us] and text columns.
        forms: the form of each feature.
        rows: of the table `COLUMNS`.
        findings: what was left out, and what may not be what it seems.
    """

    features: pd.DataFrame
    forms: dict[str, ColumnForm]
    rows: list[dict[str, Any]]
    findings: list[Finding] = field(default_factory=list)


def check_features(features: pd.DataFrame, name: str) -> pd.DataFrame:
    """The features alone, as `read_columns` reads them."""
    return read_columns(features, name).features


def read_columns(frame: pd.DataFrame, name: str, places: np.ndarray | None = None) -> ReadColumns:
    """Read every column of the table `name`, and leave out what cannot change a linear model.

    Columns without a value, with one value, equal to an earlier one, or that only number the rows are left out. `places` (n,)
    are the rows' numbers, from 0, in the table as it came; by default, all of them are here.

    Raises:
        StudyError: no column is left, or a cell holds a list.
    """
    read: dict[str, pd.Series] = {}
    forms: dict[str, ColumnForm] = {}
    learnt: dict[str, LearntForm] = {}
    left_out: dict[str, list[Any]] = {}
    rows, infinite = [], []
    twins = Twins()
    for column in frame.columns:
        cells = frame[column]
        found = learn_form(cells, name)
        values = apply_form(cells, found.form, name)
        row = describe(column, values, found.form)
        bad = list(infinite_rows(cells)) if found.form.kind == "number" else []
        bad = bad if places is None else [int(places[row - 1]) + 1 for row in bad]
        if bad:
            infinite.append([str(column), len(bad), bad[:3]])
        row["use"] = _use(row, cells)
        if row["use"] == FEATURE and (twin := twins.find(values)) is not None:
            row["use"] = DUPLICATE
            left_out.setdefault(DUPLICATE, []).append([str(column), twin])
        elif row["use"] == FEATURE:
            read[column], forms[column], learnt[column] = values, found.form, found
        else:
            left_out.setdefault(row["use"], []).append(str(column))
        rows.append(row)
    if not read:
        raise StudyError(_nothing_left(frame, left_out, name))
    # Without copying: columns that were float64 already stay where the table has them.
    features = pd.DataFrame(read, copy=False)
    findings = [*_left_out(left_out, name), *_infinite(infinite, name), *_reading(learnt, features, name)]
    return ReadColumns(features, forms, rows, findings)


def describe(column: str, values: pd.Series, form: ColumnForm) -> dict[str, Any]:
    """The row of a column in the table `COLUMNS`; without its use."""
    # NumPy where it can be: a table may have many thousands of columns.
    cells = values.to_numpy()
    is_missing = np.isnan(cells) if values.dtype == np.float64 else values.isna().to_numpy()
    missing = int(is_missing.sum())
    example = "" if missing == len(cells) else _shown(values.iloc[int(np.argmin(is_missing))])
    return {
        "column": str(column),
        "kind": form.kind,
        "use": FEATURE,
        "encoded": 0,
        "missing": missing,
        "distinct": len(pd.unique(values)) - (missing > 0),
        "example": example,
    }


def used_column(cells: pd.Series, use: str, name: str) -> dict[str, Any]:
    """The row of a column that is no feature; its cells need no form."""
    try:
        form = learn_form(cells, name).form
        values = apply_form(cells, form, name)
    except StudyError:
        form, values = ColumnForm("text"), cells.map(str, na_action="ignore")
    return {**describe(str(cells.name), values, form), "use": use}


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _EXAMPLE else f"{text[: _EXAMPLE - 1]}…"


def _use(row: dict[str, Any], cells: pd.Series) -> str:
    if is_row_numbers(cells):
        return ROW_NUMBERS
    if row["distinct"] == 0:
        return EMPTY
    # With missing cells a column of one value still says which rows have it.
    return CONSTANT if row["distinct"] == 1 and row["missing"] == 0 else FEATURE


class Twins:
    """Columns seen so far, by a cheap key; equal columns are found by comparing those of one key."""

    def __init__(self) -> None:
        self._seen: dict[Any, list[pd.Series]] = {}

    def find(self, values: pd.Series) -> str | None:
        """The name of an earlier column that is equal, cell by cell; without one, the column is remembered."""
        same = self._seen.setdefault(self._key(values), [])
        for other in same:
            if other.equals(values):
                return str(other.name)
        same.append(values)
        return None

    @staticmethod
    def _key(values: pd.Series) -> int:
        if values.dtype != np.float64:
            return int(pd.util.hash_pandas_object(values, index=False).sum())
        # −0 as 0 and every NaN alike, since these count as equal.
        cells = values.to_numpy() + 0.0
        cells[np.isnan(cells)] = np.nan
        return hash(cells.tobytes())


def _nothing_left(frame: pd.DataFrame, left_out: dict[str, list[Any]], name: str) -> str:
    if frame.shape[1] == 0:
        return f"{name} has no column except the target; give at least one to predict from."
    reasons = [f"{', '.join(map(str, columns[:5]))} ({use.replace('_', ' ')})" for use, columns in left_out.items()]
    return f"{name} has no column to predict from: {'; '.join(reasons)}. Give at least one column whose values differ."


def _left_out(left_out: dict[str, list[Any]], name: str) -> Iterator[Finding]:
    for column in left_out.get(ROW_NUMBERS, ()):
        yield Finding(
            "row_numbers_left_out", facts={"file": name, "column": "" if column.startswith("Unnamed: ") else column}
        )
    if columns := left_out.get(EMPTY, []):
        yield Finding("empty_columns_left_out", facts=_named(columns, name))
    if columns := left_out.get(CONSTANT, []):
        yield Finding("constant_columns_left_out", facts=_named(columns, name))
    if columns := left_out.get(DUPLICATE, []):
        yield Finding("duplicate_columns_left_out", facts=_named(columns, name))


def _infinite(infinite: list[list[Any]], name: str) -> Iterator[Finding]:
    if infinite:
        yield Finding("infinite_values", facts=_named(infinite, name))


def _reading(learnt: dict[str, LearntForm], features: pd.DataFrame, name: str) -> Iterator[Finding]:
    yield from text_findings({str(column): found for column, found in learnt.items() if found.texts is not None}, name)
    unclear = [[str(column), found.form.date_format] for column, found in learnt.items() if found.is_order_unclear]
    if unclear:
        yield Finding("dates_unclear", facts=_named(unclear, name))
    sentinels = []
    for column, found in learnt.items():
        sentinel = sentinel_in(features[column].to_numpy()) if found.form.kind == "number" else None
        if sentinel is not None:
            sentinels.append([str(column), *sentinel])
    if sentinels:
        yield Finding("placeholder_numbers", facts=_named(sentinels, name))


def _named(columns: list[Any], name: str) -> dict[str, Any]:
    return {"file": name, "columns": columns[:_NAMED], "more": len(columns[_NAMED:])}
