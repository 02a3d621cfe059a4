"""Dates that a table holds as text: one format for a whole column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

import pandas as pd
from pandas.tseries.api import guess_datetime_format

#: Two separators between digits or the names of months: 2024-01-31, 31.1.2024, Jan 31, 2024; or a year and a month: 2024-01.
_SHAPE = re.compile(
    r"\s*(\d{1,4}|[A-Za-z]{3,9}),?[-/. ]+(\d{1,2}|[A-Za-z]{3,9})\.?,?[-/. ]+\d{1,4}(?!\d).*|\s*\d{4}[-/]\d{1,2}\s*"
)
_ISO = re.compile(r"\s*\d{4}-\d{2}-\d{2}([T ].*)?")
ISO = "ISO8601"
#: Texts that are tried before a whole column is.
_FIRST = 20


def date_format(texts: Sequence[str]) -> tuple[str, bool]:
    """The one format in which every text is a date, or empty; and whether day and month might as well be the other way round."""
    if not texts or not all(map(_SHAPE.fullmatch, texts[:_FIRST])):
        return "", False
    fitting = [form for form in _candidates(texts) if _fits(texts[:_FIRST], form) and _fits(texts, form)]
    if not fitting:
        return "", False
    is_unclear = len(fitting) > 1 and not parse_dates(texts, fitting[0]).equals(parse_dates(texts, fitting[1]))
    return fitting[0], is_unclear


def _candidates(texts: Sequence[str]) -> Iterator[str]:
    if all(map(_ISO.fullmatch, texts[:_FIRST])):
        yield ISO
        return
    # Between dots the day comes first; elsewhere the month, as pandas has it, unless some day is above 12.
    orders = (True, False) if "." in texts[0] else (False, True)
    found: dict[str, None] = {}
    for text in (texts[0], texts[-1]):
        for is_day_first in orders:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                guess = guess_datetime_format(text.strip(), dayfirst=is_day_first)
            # Without a year the dates of two years would be mixed.
            if guess is not None and re.search("%[yY]", guess):
                found[guess] = None
    yield from found


def _fits(texts: Sequence[str], form: str) -> bool:
    return not parse_dates(texts, form).isna().any()


def parse_dates(texts: Sequence[str] | pd.Series, form: str) -> pd.Series:
    """Dates in UTC without a zone, to the microsecond; what does not have the format is missing."""
    cells = pd.Series(texts, dtype=object) if not isinstance(texts, pd.Series) else texts.astype(object)
    cells = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    parsed = pd.to_datetime(cells, format=form, errors="coerce", utc=True)
    return plain_dates(parsed)


def plain_dates(dates: pd.Series) -> pd.Series:
    """Dates of any unit and zone as microseconds of UTC without a zone."""
    if getattr(dates.dtype, "tz", None) is not None:
        dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
    return dates.astype("datetime64[us]")
