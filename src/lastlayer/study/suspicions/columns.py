"""A column as the detections need it: what kind of values it has, and its values as numbers in their order."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

#: A date as text: 2022-01-31, 31/01/2022, 31.1.22, "Jan 31, 2022"; the time may follow.
_DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2} [A-Za-z]{3,9} \d{4})(?!\d)"
)
#: A date that starts with the day or the month.
_SHORT_DATE = re.compile(r"\s*(\d{1,2})[-/.]\d{1,2}[-/.]")
#: What a number may be written with and a plain number does not have.
_DECORATION = re.compile(r"[$€£¥₹%,'’\s]")
#: Distinct texts that are looked at to tell dates and numbers from words, and the share that must be one.
_LOOKED_AT, _MOST = 200, 0.95


class Kind(StrEnum):
    """What the values of a column are."""

    NUMBER = "number"
    WHOLE = "whole"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True)
class Column:
    """The values of a column in some rows.

    Attributes:
        name: as the user wrote it.
        kind: of the known values.
        codes: (n,) the number of the value among the sorted distinct ones; −1 where it is missing.
        distinct: how many values there are.
        numbers: (n,) the values as float64 with NaN where missing: those of numbers and booleans, nanoseconds of dates, the
            codes of texts.
        texts: the distinct values of a text column in their order, else empty.
    """

    name: str
    kind: Kind
    codes: np.ndarray
    distinct: int
    numbers: np.ndarray
    texts: tuple[str, ...] = ()

    @property
    def is_known(self) -> np.ndarray:
        """(n,) whether the row has a value."""
        return self.codes >= 0

    def at(self, rows: np.ndarray) -> Column:
        """The column in some of its rows, with the codes that it has."""
        return Column(self.name, self.kind, self.codes[rows], self.distinct, self.numbers[rows], self.texts)


def read_columns(frame: pd.DataFrame, rows: np.ndarray, which: Sequence[int] | None = None) -> list[Column]:
    """Every column in these rows, or those at the positions `which`."""
    positions = range(frame.shape[1]) if which is None else which
    return [read_column(frame.iloc[:, position], rows) for position in positions]


def read_column(series: pd.Series, rows: np.ndarray) -> Column:
    """The column in these rows, whatever its cells are."""
    name = str(series.name)
    values = series.iloc[rows] if len(rows) < len(series) else series
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        return _of_numbers(name, Kind.BOOLEAN, _as_floats(values))
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        return _of_numbers(name, Kind.DATE, _nanoseconds(values))
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return _of_numbers(name, _kind_of(numbers := _as_floats(values)), numbers)
    return _of_texts(name, values)


def _as_floats(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _nanoseconds(values: pd.Series) -> np.ndarray:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    plain = values.to_numpy()
    unit = "m8[ns]" if plain.dtype.kind == "m" else "M8[ns]"
    numbers = plain.astype(unit).astype(np.int64).astype(np.float64)
    return np.where(np.isnat(plain), np.nan, numbers)


def _kind_of(numbers: np.ndarray) -> Kind:
    known = numbers[np.isfinite(numbers)]
    # Beyond 2^53 every float is whole.
    is_whole = len(known) > 0 and bool(np.all((known == np.floor(known)) & (np.abs(known) < 2**53)))
    return Kind.WHOLE if is_whole else Kind.NUMBER


def _of_numbers(name: str, kind: Kind, numbers: np.ndarray) -> Column:
    is_known = ~np.isnan(numbers)
    codes = np.full(len(numbers), -1, dtype=np.int64)
    distinct, codes[is_known] = np.unique(numbers[is_known], return_inverse=True)
    return Column(name, kind, codes, len(distinct), numbers)


def _of_texts(name: str, values: pd.Series) -> Column:
    codes, found = pd.factorize(values, use_na_sentinel=True)
    # Cells of mixed types have no order; as texts they have one.
    texts = np.array([str(value) for value in found], dtype=object)
    distinct, merged = np.unique(texts, return_inverse=True) if len(texts) else (texts, np.zeros(0, dtype=np.int64))
    codes = np.where(codes >= 0, np.append(merged, 0)[codes], -1).astype(np.int64)
    of_texts = _numbers_of(list(distinct))
    if of_texts is not None:
        kind, numbers = of_texts
        return _of_numbers(name, kind, np.append(numbers, np.nan)[codes])
    return Column(
        name,
        Kind.TEXT,
        codes,
        len(distinct),
        np.where(codes >= 0, codes, np.nan),
        tuple(str(text) for text in distinct),
    )


def _numbers_of(texts: list[str]) -> tuple[Kind, np.ndarray] | None:
    """The kind and the values of texts that are dates or numbers; None where they are words."""
    looked_at = texts[:: max(len(texts) // _LOOKED_AT, 1)]
    if not looked_at:
        return None
    if np.mean([_DATE.match(text) is not None for text in looked_at]) >= _MOST:
        with warnings.catch_warnings():
            # pandas says which of two ways it read 01/02/2022; a first part above 12 anywhere decides it for the whole column.
            warnings.simplefilter("ignore")
            day_first = any((found := _SHORT_DATE.match(text)) is not None and int(found[1]) > 12 for text in texts)
            dates = pd.to_datetime(pd.Series(texts), errors="coerce", format="mixed", utc=True, dayfirst=day_first)
        if dates.notna().mean() >= _MOST:
            return Kind.DATE, _nanoseconds(dates)
    if np.mean([any(mark.isdigit() for mark in text) for text in looked_at]) >= _MOST:
        plain = pd.Series([_DECORATION.sub("", text) for text in texts], dtype=object)
        numbers = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64)
        if np.mean(~np.isnan(numbers)) >= _MOST:
            return _kind_of(numbers), numbers
    return None
