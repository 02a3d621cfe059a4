"""Which rows of a large table are looked at; always the same ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def evenly(rows: int, most: int) -> np.ndarray:
    """At most `most` of the rows, at random, in their order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def balanced(labels: np.ndarray, most: int) -> np.ndarray:
    """At most about `most` rows, in their order: of rare classes all, of the others equally many."""
    if len(labels) <= most:
        return np.arange(len(labels))
    counts = np.sort(np.bincount(labels))
    counts = counts[counts > 0]
    # The quota that uses up `most`, when the classes below it are taken whole.
    quota, left = 1, most
    for place, count in enumerate(counts):
        quota = max(left // (len(counts) - place), 1)
        if count > quota:
            break
        left -= int(count)
    order = np.lexsort((np.random.default_rng(0).random(len(labels)), labels))
    within = np.empty(len(labels), dtype=np.int64)
    within[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    return np.flatnonzero(within < quota)


def whole_rows(codes: np.ndarray, most: int) -> np.ndarray:
    """At most about `most` rows in their order: all rows of some values, none of the others."""
    values = int(codes.max(initial=-1)) + 1
    kept = max(int(values * min(most / max(len(codes), 1), 1)), 1)
    is_kept = np.zeros(values + 1, dtype=bool)
    is_kept[np.random.default_rng(0).permutation(values)[:kept]] = True
    return np.flatnonzero(is_kept[codes])


def block(rows: int, most: int) -> np.ndarray:
    """The middle `most` rows."""
    start = max(rows - most, 0) // 2
    return np.arange(start, min(start + most, rows))


def value_keys(codes: np.ndarray, position: int) -> np.ndarray:
    """(n,) a random number of 64 bits for each value of the column at that position; codes from −1 on."""
    generator = np.random.default_rng([0, position])
    return generator.integers(0, 2**64, size=int(codes.max(initial=-1)) + 2, dtype=np.uint64)[codes + 1]


def row_keys(codes: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) the same number for equal rows, and other numbers for others: the sum of the keys of their values, modulo 2^64."""
    total = np.zeros(len(codes[0]), dtype=np.uint64)
    for position, column in enumerate(codes):
        total += value_keys(column, position)
    return total


def first_rows(codes: Sequence[np.ndarray]) -> np.ndarray:
    """The first of each set of equal rows, in their order."""
    return np.sort(np.unique(row_keys(codes), return_index=True)[1])
