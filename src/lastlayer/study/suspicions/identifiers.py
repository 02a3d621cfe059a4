"""Columns that number or identify the rows: row numbers, serial numbers, UUIDs, keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.alone import accuracy, mean_recall, predict_alone
from lastlayer.study.suspicions.columns import Column, Kind
from lastlayer.study.suspicions.correlation import spearman
from lastlayer.study.suspicions.names import is_key_name

#: Fewer rows than this show nothing; from `_SURE` on, distinct values do.
_LEAST, _SURE = 10, 20
#: The share of rows with a value of their own, and ties that evenly spread numbers would have at least.
_DISTINCT, _TIES = 0.99, 12.0
#: An even spread: the largest distance between the shares of rows and of the range that lie below a value.
_EVEN = 0.2
#: The same over all numbers with the same number of digits, for numbers of at least this size.
_EVEN_DIGITS, _WIDE = 0.12, 100_000
#: Shuffled numbers without ties are ranks, not keys, where they go with another column by this many standard errors, unless
#: they predict the target nearly as well as sorted keys do.
_GO_WITH, _SORTED = 3.5, 0.95
#: A key has no prose: at most this many characters and words at the median.
_CHARACTERS, _WORDS = 40, 2


def identifier_columns(columns: Sequence[Column], labels: np.ndarray) -> list[int]:
    """The positions of the columns that number or identify the rows."""
    found = [position for position, column in enumerate(columns) if identifies(column)]
    return [position for position in found if not _is_rank(position, columns, labels)]


def identifiers(columns: Sequence[Column], labels: np.ndarray, positions: Sequence[int]) -> list[Finding]:
    """A finding for each of these columns: how it numbers the rows, and whether it predicts the target by itself."""
    return [_finding(columns[position], labels) for position in positions]


def _finding(column: Column, labels: np.ndarray) -> Finding:
    predicted = predict_alone(column, labels)
    alone, recall = accuracy(predicted, labels), mean_recall(predicted, labels)
    counts = np.bincount(labels)
    chance, n_classes = counts.max() / len(labels), np.count_nonzero(counts)
    # Five standard errors: nobody looks at one column alone.
    noise = 5 * np.sqrt(chance * (1 - chance) / len(labels))
    known = np.flatnonzero(column.is_known)[0]
    example = column.texts[column.codes[known]] if column.texts else f"{column.numbers[known]:.15g}"
    return Finding(
        "identifies_rows",
        facts={
            "column": column.name,
            "distinct": column.distinct,
            "rows": len(labels),
            "example": example,
            "is_ordered": _is_ordered(column),
            "predicts": bool(recall > 1 / n_classes + max(noise, 0.1) and alone > chance),
            "accuracy": alone,
            "chance": float(chance),
        },
    )


def identifies(column: Column) -> bool:
    """Whether the values by themselves, and the name, are those of a key."""
    known = int(column.is_known.sum())
    if known < max(_LEAST, 0.95 * len(column.codes)) or column.distinct < _DISTINCT * known:
        return False
    if column.kind is Kind.WHOLE:
        return _numbers_rows(column, known) or (known >= _SURE and _is_key(column, known))
    return column.kind is Kind.TEXT and known >= _SURE and _is_key_text(column)


def _numbers_rows(column: Column, known: int) -> bool:
    """Whether whole numbers grow or fall with the rows, about evenly, as row numbers do after some were left out."""
    return column.distinct == known and _is_ordered(column) and _unevenness(column) <= _EVEN


def _is_rank(position: int, columns: Sequence[Column], labels: np.ndarray) -> bool:
    """Whether whole numbers without ties may be the ranks of something that was measured."""
    column = columns[position]
    if column.kind is not Kind.WHOLE or _is_ordered(column) or is_key_name(column.name):
        return False
    if accuracy(predict_alone(column, labels), labels) >= _SORTED:
        return False
    limit = _GO_WITH / np.sqrt(len(labels))
    others = (other for place, other in enumerate(columns) if place != position and other.kind is not Kind.TEXT)
    return any(abs(spearman(column.numbers, other.numbers)) >= limit for other in others)


def _is_ordered(column: Column) -> bool:
    steps = np.diff(column.codes[column.is_known])
    return bool(np.all(steps > 0) or np.all(steps < 0))


def _is_key(column: Column, known: int) -> bool:
    """Whether whole numbers have no ties where measurements of their range would have some, or are called a key."""
    values = column.numbers[column.is_known]
    span = float(values.max() - values.min()) + 1
    # Any distribution over the range has at least the ties of the uniform one.
    expected = known * (known - 1) / (2 * span)
    if expected >= _TIES and known - column.distinct <= 0.05 * expected:
        return True
    return is_key_name(column.name) or _has_one_width(values)


def _has_one_width(values: np.ndarray) -> bool:
    """Whether all numbers have the same many digits and are spread evenly over all numbers with these, as account numbers are."""
    low = 10.0 ** np.floor(np.log10(max(values.min(), 1)))
    if low < _WIDE or values.min() < low or values.max() >= 10 * low:
        return False
    place = (np.sort(values) - low) / (9 * low)
    return float(np.max(np.abs(place - np.linspace(0, 1, len(values))))) <= _EVEN_DIGITS


def _unevenness(column: Column) -> float:
    values = np.sort(column.numbers[column.is_known])
    place = (values - values[0]) / max(values[-1] - values[0], 1.0)
    return float(np.max(np.abs(place - np.linspace(0, 1, len(values)))))


def _is_key_text(column: Column) -> bool:
    """Whether texts are short and, but for names of one or two words, written to one pattern, as keys are."""
    sample = column.texts[:: max(len(column.texts) // 500, 1)]
    characters = np.median([len(text) for text in sample])
    words = np.median([len(text.split()) for text in sample])
    return bool(characters <= _CHARACTERS and words <= _WORDS)
