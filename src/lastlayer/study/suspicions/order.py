"""Which orders of the rows could be that of time, and what changes along them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.columns import Column, Kind
from lastlayer.study.suspicions.correlation import spearman
from lastlayer.study.suspicions.drift import Drift, class_share, measure_drift
from lastlayer.study.suspicions.names import is_time_name

#: Values that a date column needs, and dates that are tried.
_VALUES, _DATES = 4, 3
#: Rank correlation from which a column says the same as the date, and from which the rows are sorted by it.
_SAME, _SORTED = 0.9, 0.98
#: Area under the ROC curve at which features alone say drift, though the target is predicted as well across the halves.
_SHIFT = 0.88
#: Changes of class from row to row, as a share of those in rows in a random order, below which the rows are sorted by class.
_CHANGES = 0.2
#: A column with a larger share of one value sorts nothing.
_ONE_VALUE = 0.95


def drifts(
    columns: Sequence[Column],
    labels: np.ndarray,
    names: Sequence[str],
    leave_out: set[int],
    groups: np.ndarray | None,
    by_rows: bool,
) -> list[Finding]:
    """Findings for dates along which the table changes; without one, for the order of the rows.

    Args:
        columns: the features, in the rows that are looked at.
        labels: of these rows.
        names: of the classes.
        leave_out: positions of columns that number the rows, which change along any order.
        groups: (n,) groups that are known.
        by_rows: whether the order of the rows is tried.
    """
    dates = [place for place, column in enumerate(columns) if _is_date(column)]
    kept = [place for place in range(len(columns)) if place not in leave_out and place not in dates]
    for place in dates[:_DATES]:
        key = columns[place].numbers
        rows = np.flatnonzero(np.isfinite(key))
        features = [columns[other].at(rows) for other in kept]
        # What only says the date again, as a year or a running total, changes with it.
        features = [column for column in features if abs(spearman(column.numbers, key[rows])) < _SAME]
        drift = _along(features, labels[rows], key[rows], None if groups is None else groups[rows])
        share = class_share(labels[rows], key[rows])
        if drift is not None or share is not None:
            shown = None if share is None else [names[share[0]], *share[1:]]
            return [Finding("drifts_with_date", facts={"column": columns[place].name, **_facts(drift), "share": shown})]
    numbers = np.arange(len(labels), dtype=np.float64)
    follows_date = any(abs(spearman(columns[place].numbers, numbers)) >= _SAME for place in dates)
    if (
        not by_rows
        or follows_date
        or _follow_each_other(labels)
        or any(_is_sorted(columns[place], labels) for place in kept)
    ):
        return []
    drift = _along([columns[place] for place in kept], labels, numbers, groups)
    return [] if drift is None else [Finding("drifts_with_row_order", facts=_facts(drift))]


def _along(columns: Sequence[Column], labels: np.ndarray, key: np.ndarray, groups: np.ndarray | None) -> Drift | None:
    drift = measure_drift(columns, labels, key, groups)
    return drift if drift is not None and (drift.is_relation or (drift.is_shift and drift.auc >= _SHIFT)) else None


def _facts(drift: Drift | None) -> dict[str, object]:
    if drift is None:
        return {"is_relation": False, "is_shift": False}
    return {
        "shuffled": drift.shuffled,
        "ordered": drift.ordered,
        "auc": drift.auc,
        "columns": list(drift.columns),
        "is_relation": drift.is_relation,
        "is_shift": drift.is_shift,
    }


def _is_date(column: Column) -> bool:
    if column.distinct < _VALUES:
        return False
    if column.kind is Kind.DATE:
        return True
    return column.kind in (Kind.WHOLE, Kind.NUMBER) and is_time_name(column.name)


def _follow_each_other(labels: np.ndarray) -> bool:
    """Whether rows of one class follow each other, far more than by chance: the table is sorted by class, not by time.

    Within the classes it may be sorted by a finer class, which would look like drift.
    """
    counts = np.bincount(labels)
    changes = len(labels) - float(np.sum(counts.astype(np.float64) ** 2)) / max(len(labels), 1)
    return bool(np.count_nonzero(np.diff(labels)) < _CHANGES * changes)


def _is_sorted(column: Column, labels: np.ndarray) -> bool:
    """Whether the rows are sorted by the column, or lie in blocks of its values, within the classes: then it is their order."""
    order = np.argsort(labels, kind="stable")
    codes, classes = column.codes[order], labels[order]
    if np.bincount(codes + 1).max() > _ONE_VALUE * len(codes):
        return False
    share = _place_in_class(np.arange(len(codes)), classes)
    if abs(spearman(np.where(codes >= 0, _place_in_class(codes, classes), np.nan), share)) >= _SORTED:
        return True
    if column.distinct > len(codes) / 3:
        return False
    values = classes * (column.distinct + 1) + codes + 1
    runs, blocks = 1 + np.count_nonzero(np.diff(values)), len(np.unique(values))
    return bool(runs <= 1.05 * blocks and blocks <= len(codes) / 3)


def _place_in_class(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(n,) the share of the rows of the class that have a smaller value; the classes are sorted."""
    order = np.lexsort((values, classes))
    starts = np.searchsorted(classes, classes)
    is_first = np.append(True, (np.diff(values[order]) != 0) | (np.diff(classes) != 0))
    # Equal values share the place of the first of them.
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(classes)), 0))
    place = np.empty(len(classes))
    place[order] = (first - starts) / np.bincount(classes)[classes]
    return place
