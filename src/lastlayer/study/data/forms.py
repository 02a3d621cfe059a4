"""How a column is read: its kind, learnt once, and the same reading of every later table."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.study.data.dates import date_format, parse_dates, plain_dates
from lastlayer.study.data.numbers import NumberTexts, is_column_of_numbers, is_placeholder, number_of, split_texts
from lastlayer.study.error import StudyError

NUMBER, BOOLEAN, DATE, CATEGORY, TEXT = "number", "boolean", "date", "category", "text"
#: Texts with fewer distinct values than this are categories, as skrub has it: each becomes a column.
_CATEGORIES = 40
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


@dataclass(frozen=True)
class ColumnForm:
    """How the cells of a column are read.

    Attributes:
        kind: number, boolean, date, category or text.
        placeholders: texts that mean a missing value.
        decimal: the decimal sign of numbers that are written with a unit or thousands separators; empty where none are.
        date_format: the format of dates that are texts.
    """

    kind: str
    placeholders: tuple[str, ...] = ()
    decimal: str = ""
    date_format: str = ""


@dataclass(frozen=True)
class LearntForm:
    """The form of a column, with what a reader may want to know of it: the texts among its numbers, and unclear dates."""

    form: ColumnForm
    texts: NumberTexts | None = None
    is_order_unclear: bool = False


def learn_form(column: pd.Series, name: str) -> LearntForm:
    """How a column of the table `name` is read.

    Raises:
        StudyError: cells hold lists or other things that are no single value.
    """
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return LearntForm(ColumnForm(BOOLEAN))
    if isinstance(dtype, pd.CategoricalDtype):
        return LearntForm(_form_of_text(column.nunique()))
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return LearntForm(ColumnForm(NUMBER))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return LearntForm(ColumnForm(DATE))
    known = column.dropna()
    kind = pd.api.types.infer_dtype(known, skipna=True) if len(known) else "empty"
    if kind in ("string", "empty"):
        return _learn_texts(known)
    return LearntForm(_form_of_objects(known, kind, name))


def _form_of_objects(known: pd.Series, kind: str, name: str) -> ColumnForm:
    odd = next((value for value in known if not isinstance(value, _SCALARS)), None)
    if odd is not None:
        raise StudyError(
            f"Column {known.name!r} of {name} holds {type(odd).__name__} values; "
            "a study needs one number, text or date in each cell. Leave it out with --drop, or make columns of it."
        )
    if kind == "boolean":
        return ColumnForm(BOOLEAN)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal", "timedelta", "timedelta64"):
        return ColumnForm(NUMBER)
    if kind in ("date", "datetime", "datetime64"):
        return ColumnForm(DATE)
    # Numbers and texts mixed, as pandas reads a long file in pieces: the same as the texts alone.
    return _learn_texts(known.map(_text)).form


def _learn_texts(known: pd.Series) -> LearntForm:
    if known.empty:
        return LearntForm(ColumnForm(TEXT))
    texts = split_texts(known)
    if texts.n_numbers and is_column_of_numbers(texts):
        return LearntForm(ColumnForm(NUMBER, tuple(map(str, texts.words.index)), texts.decimal), texts)
    words = [str(word) for word in (*texts.words.index, *texts.decorated.index)]
    dates = [word for word in words if not is_placeholder(word)]
    if len(texts.plain) == 0 and dates:
        form, is_unclear = date_format(dates)
        if form:
            placeholders = tuple(word for word in words if is_placeholder(word))
            return LearntForm(ColumnForm(DATE, placeholders, date_format=form), None, is_unclear)
    return LearntForm(_form_of_text(len(texts.plain) + len(words)), texts)


def _form_of_text(distinct: int) -> ColumnForm:
    return ColumnForm(CATEGORY if distinct < _CATEGORIES else TEXT)


def apply_form(column: pd.Series, form: ColumnForm, name: str) -> pd.Series:
    """The column as the form says: numbers and booleans as float64, dates as datetime64[us], everything else as text.

    Infinite numbers become missing ones.

    Raises:
        StudyError: a cell is no number or date where one is expected; the message names it.
    """
    if form.kind in (NUMBER, BOOLEAN):
        return _numbers(column, form, name)
    if form.kind == DATE:
        return _dates(column, form, name)
    texts = column if column.dtype == "str" else column.astype(object).map(_text, na_action="ignore").astype("str")
    # pandas keeps the blanks at the start of a field that this package's reading of a file leaves out.
    if texts.str.startswith((" ", "\t")).fillna(False).any():
        texts = texts.str.lstrip(" \t")
    return texts.mask(texts == "") if (texts == "").any() else texts


def _numbers(column: pd.Series, form: ColumnForm, name: str) -> pd.Series:
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds()
    if pd.api.types.is_complex_dtype(column.dtype):
        raise StudyError(
            f"Column {column.name!r} of {name} holds complex numbers; give real and imaginary part a column each."
        )
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.astype("float64")
    else:
        numbers = _distinctly(column, lambda cell: _number(cell, form), "a number", name)
    values = numbers.to_numpy()
    if np.isinf(values).any():
        return pd.Series(np.where(np.isinf(values), np.nan, values), index=column.index, name=column.name)
    return numbers


def _dates(column: pd.Series, form: ColumnForm, name: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return plain_dates(column)
    known = column.dropna()
    if all(isinstance(cell, (datetime.date, np.datetime64)) for cell in known):
        return plain_dates(pd.to_datetime(column, utc=True))
    texts = column.astype(object).map(_text, na_action="ignore")
    is_missing = texts.isna() | texts.map(
        lambda cell: isinstance(cell, str) and (is_placeholder(cell) or cell.strip() in form.placeholders)
    )
    dates = parse_dates(texts.mask(is_missing), form.date_format or "ISO8601")
    _check_cells(column, dates.isna() & ~is_missing, "a date", name)
    return pd.Series(dates.to_numpy(), index=column.index, name=column.name)


def _distinctly(column: pd.Series, read: Callable[[Any], float], what: str, name: str) -> pd.Series:
    """`read` applied to each distinct cell once; raises StudyError at the first cell that it refuses by ValueError."""
    cells = column.astype(object)
    codes, distinct = pd.factorize(cells)
    values, is_bad = np.full(len(distinct) + 1, np.nan), np.zeros(len(distinct) + 1, dtype=bool)
    for i, cell in enumerate(distinct):
        try:
            values[i] = read(cell)
        except ValueError:
            is_bad[i] = True
    # The last entry is for the code −1 of missing cells.
    _check_cells(column, pd.Series(is_bad[codes]), what, name)
    return pd.Series(values[codes], index=column.index, name=column.name)


def _number(cell: Any, form: ColumnForm) -> float:
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if not isinstance(cell, (str, bytes)):
        return float(cell)
    text = _text(cell).strip()
    if text in form.placeholders or is_placeholder(text):
        return np.nan
    if form.kind == BOOLEAN and text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    number = number_of(text, form.decimal)
    if np.isnan(number):
        raise ValueError(text)
    return number


def _check_cells(column: pd.Series, is_bad: pd.Series, what: str, name: str) -> None:
    places = np.flatnonzero(is_bad.to_numpy())
    if len(places):
        more = f" ({len(places) - 1} more cells like it)" if len(places) > 1 else ""
        raise StudyError(
            f"Row {places[0] + 1} of column {column.name!r} in {name} holds {str(column.iloc[places[0]])[:40]!r}, which is no "
            f"{what.split()[-1]}{more}; every cell there was {what} or missing when this was learnt. Mend it or leave it empty."
        )


def _text(cell: Any) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def infinite_rows(column: pd.Series) -> Iterator[int]:
    """Row numbers, from 1, of infinite numbers in a numeric column."""
    if pd.api.types.is_float_dtype(column.dtype):
        yield from (int(row) + 1 for row in np.flatnonzero(np.isinf(column.to_numpy(dtype="float64", na_value=np.nan))))
