"""Rows that occur more than once, beyond what few possible rows explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.columns import Column
from lastlayer.study.suspicions.samples import row_keys, value_keys

#: Copies count from this share of the rows on, and this many of them.
_SHARE, _COPIES = 0.01, 5
#: Pairs of equal rows, as a multiple of those that chance explains.
_FACTOR = 8.0
#: Columns that are left out one at a time; the ones with most distinct values say most.
_COLUMNS = 40


def duplicate_rows(columns: Sequence[Column], labels: np.ndarray, numbers: np.ndarray) -> list[Finding]:
    """The finding that rows are copies of others, features and target alike, or none.

    Chance explains N·q/(1 − q) pairs of equal rows where N pairs differ in one column alone and q is the share of pairs, among
    rows that have a partner, that agree in it: for each column, if it were independent of the others. The column that
    explains most is believed. `numbers` are the positions of the rows in the whole table, for the example.
    """
    rows = len(labels)
    if rows < 2 or not columns:
        return []
    whole = row_keys([*(column.codes for column in columns), labels])
    _, place, counts = np.unique(whole, return_inverse=True, return_counts=True)
    copies = rows - len(counts)
    if copies < max(_COPIES, _SHARE * rows) or _pairs(counts) < _FACTOR * _explained(columns, labels, _pairs(counts)):
        return []
    most = int(np.argmax(counts))
    in_copies = int(counts[counts > 1].sum())
    facts = {
        "copies": copies,
        "rows": rows,
        "share": in_copies / rows,
        "in_copies": in_copies,
        "most": int(counts[most]),
        "example": [int(row) + 1 for row in numbers[np.flatnonzero(place == most)[:3]]],
    }
    return [Finding("duplicate_rows", facts=facts)]


def _distinct_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns without those that only say in other words what another says: they would hide that chance is at work."""
    kept: list[Column] = []
    seen: set[bytes] = set()
    for column in columns:
        # Numbered in the order of their appearance, two codings of the same thing are the same.
        _, first, inverse = np.unique(column.codes, return_index=True, return_inverse=True)
        form = np.argsort(np.argsort(first))[inverse].tobytes()
        if form not in seen:
            seen.add(form)
            kept.append(column)
    return kept


def _pairs(counts: np.ndarray) -> int:
    return int(np.sum(counts.astype(np.int64) * (counts - 1) // 2))


def _explained(columns: Sequence[Column], labels: np.ndarray, equal: int) -> float:
    """Pairs of equal rows that chance explains."""
    codes = [*(column.codes for column in _distinct_columns(columns)), labels]
    whole = row_keys(codes)
    widest = sorted(range(len(codes)), key=lambda position: -int(codes[position].max()))[:_COLUMNS]
    return max(
        _explained_by(codes[position], whole - value_keys(codes[position], position), equal)
        for position in {*widest, len(codes) - 1}
    )


def _explained_by(codes: np.ndarray, others: np.ndarray, equal: int) -> float:
    """The same, if this column is independent of the others."""
    _, place, counts = np.unique(others, return_inverse=True, return_counts=True)
    # Rows that agree with another in all other columns: values may repeat more often among them than elsewhere.
    rows = np.flatnonzero(counts[place] > 1)
    agree = _pairs(counts)
    apart = len(rows) * (len(rows) - 1) / 2 - agree
    share = (_pairs(np.bincount(codes[rows] + 1)) - equal) / apart if apart > 0 else 1.0
    return (agree - equal) * share / max(1 - share, 1e-9)
