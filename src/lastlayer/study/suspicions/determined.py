"""Columns that give the target away: its copy, its code, a value that is known only afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.alone import accuracy, mean_recall, predict_alone
from lastlayer.study.suspicions.columns import Column, Kind
from lastlayer.study.suspicions.correlation import spearman
from lastlayer.study.suspicions.linear import design, predict_across

#: Accuracy and mean recall at which a column counts as giving the target away.
_ALONE = 0.995
#: The same for a column of few values, such as a copy with errors; the others must then fall short of this.
_NEARLY, _FAR = 0.98, 0.9
#: The other columns together fall short of it by at least this in mean recall, or it is one of several good features.
_CLEARLY = 0.02
#: Fewer rows, or fewer of the second most frequent class, show nothing; of fewer than `_THRESHOLD_ROWS` a feature may cut the
#: classes apart by chance.
_ROWS, _CLASS_ROWS, _THRESHOLD_ROWS = 20, 5, 60
#: Rows that each value of a code has, at the mean.
_ROWS_PER_CODE = 3
#: Rank correlation from which a number is the same thing in other units.
_SAME = 0.98
#: Other columns that are tried together.
_OTHERS = 60


def determining_columns(columns: Sequence[Column], labels: np.ndarray) -> list[int]:
    """The positions of the columns that predict nearly every row by themselves, whatever the others do."""
    counts = np.sort(np.bincount(labels))
    if len(labels) < _ROWS or len(counts) < 2 or counts[-2] < _CLASS_ROWS:
        return []
    found = []
    for position, column in enumerate(columns):
        if column.distinct + bool((~column.is_known).any()) < 2:
            continue
        predicted = predict_alone(column, labels)
        least = _NEARLY if column.distinct <= 2 * len(np.unique(labels)) else _ALONE
        if accuracy(predicted, labels) >= least and mean_recall(predicted, labels) >= least:
            found.append(position)
    return found


def determined(
    columns: Sequence[Column], labels: np.ndarray, candidates: Sequence[int], leave_out: set[int], rows: np.ndarray
) -> list[Finding]:
    """A finding for each candidate that the other columns do not come near, and for each code of the classes.

    Args:
        columns: in all rows that are looked at.
        labels: of these rows.
        candidates: positions of columns that predict nearly every row.
        leave_out: columns that are under suspicion already: not candidates, nor among the others.
        rows: the rows that the others are tried on.
    """
    findings = []
    for position in candidates:
        column = columns[position]
        if position in leave_out:
            continue
        is_code = _is_code(column, labels)
        others = _others(columns, position, candidates, leave_out, rows)
        together = _together(others, labels[rows])
        predicted = predict_alone(column, labels)
        alone = mean_recall(predicted, labels)
        short = alone - _CLEARLY if alone >= _ALONE else _FAR
        if is_code or (others and len(labels) >= _THRESHOLD_ROWS and together <= short):
            facts = {
                "column": column.name,
                "accuracy": accuracy(predicted, labels),
                "others": together if others else None,
                "is_code": is_code,
                "values": column.distinct,
                "classes": len(np.unique(labels)),
            }
            findings.append(Finding("determines_target", facts=facts))
    return findings


def _is_code(column: Column, labels: np.ndarray) -> bool:
    """Whether each value has one class, in several rows, and it is no threshold that makes it so."""
    pairs = np.unique(np.stack([column.codes, labels]), axis=1)
    values, classes = pairs.shape[1], len(np.unique(labels))
    if values != len(np.unique(pairs[0])) or len(labels) < _ROWS_PER_CODE * values:
        return False
    # Sorted by value, the classes of numbers that a threshold cuts follow each other.
    runs = 1 + int(np.count_nonzero(np.diff(pairs[1])))
    return values == classes or column.kind is Kind.TEXT or runs > classes


def _others(
    columns: Sequence[Column], position: int, candidates: Sequence[int], leave_out: set[int], rows: np.ndarray
) -> list[Column]:
    """The other columns, without those that are the same thing again."""
    own = columns[position]
    kept = [other for other in range(len(columns)) if other != position and other not in leave_out]
    if len(kept) > _OTHERS:
        # The good ones among them, and some of the rest: one good one is enough to clear a column.
        rest = [other for other in kept if other not in candidates]
        kept = [other for other in kept if other in candidates][:_OTHERS] + rest[:: -(-len(rest) // _OTHERS)]
    return [columns[other].at(rows) for other in kept if not (other in candidates and _is_same(own, columns[other]))]


def _is_same(one: Column, other: Column) -> bool:
    """Whether the columns hold the same thing: texts or few values that code each other, or numbers in one order."""
    if Kind.TEXT in (one.kind, other.kind) or min(one.distinct, other.distinct) <= 10:
        pairs = len(np.unique(np.stack([one.codes, other.codes]), axis=1).T)
        return pairs <= max(one.distinct, other.distinct) + 1
    return abs(spearman(one.numbers, other.numbers)) >= _SAME


def _together(others: Sequence[Column], labels: np.ndarray) -> float:
    """The mean recall of a linear classifier of these columns, across folds."""
    features, _ = design(others)
    classes, targets = np.unique(labels, return_inverse=True)
    if features.shape[1] == 0:
        return 1 / len(classes)
    return mean_recall(predict_across(features, targets, np.random.default_rng(0)), targets)
