"""A column whose values repeat in groups, as a patient's, a user's or a session's number does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.columns import Column, Kind
from lastlayer.study.suspicions.names import is_key_name, is_unit_name

#: Groups that a column needs, rows in each at the mean, and the share of rows that are not alone in theirs; one value with more
#: than this share of the rows is an ordinary value (0 of a count).
_GROUPS, _ROWS, _SHARED, _ORDINARY = 15, 2.0, 0.7, 0.3
#: Values per class up to which a column that is not called a key is taken for a code of the classes, if only the target is alike.
_CODES = 5
#: How alike rows of one group are beyond rows of neighbouring values, from 0 (no more) to 1 (equal): where the target alone
#: says it, and where the name says key.
_ALIKE, _ALIKE_KEY = 0.7, 0.4
#: The same for the median of the other columns, and how many of these it takes.
_FEATURES_ALIKE, _FEATURES = 0.5, 3
#: Standard errors.
_SURE = 4.0
#: Other columns that are looked at; rows, in blocks of neighbouring values.
_OTHERS, _LOOKED_AT, _BLOCK = 50, 10_000, 10


@dataclass(frozen=True)
class Likeness:
    """How alike the rows of one value are, beyond rows of different values; 0 is no more, 1 is equal."""

    target: float
    target_noise: float
    features: float


def repeats_like_groups(
    columns: Sequence[Column], labels: np.ndarray, leave_out: set[int]
) -> list[tuple[int, Finding]]:
    """(position, finding) of the column that groups the rows most clearly, and the names of others that do; or none."""
    found = []
    for position, column in enumerate(columns):
        if position not in leave_out and is_possible(column):
            others = [other for place, other in enumerate(columns) if place != position]
            likeness = measure(column, labels, others)
            if _groups(column, likeness, len(np.unique(labels))):
                found.append((position, likeness))
    if not found:
        return []
    found.sort(key=lambda pair: (-_is_called_so(columns[pair[0]]), -max(pair[1].target, pair[1].features), pair[0]))
    position, likeness = found[0]
    column = columns[position]
    counts = np.bincount(column.codes[column.is_known])
    facts = {
        "column": column.name,
        "groups": column.distinct,
        "rows": len(labels),
        "typical": float(np.median(counts[counts > 0])),
        "target_alike": likeness.target,
        "features_alike": likeness.features,
        "others": [columns[other].name for other, _ in found[1:]],
    }
    return [(position, Finding("repeats_like_groups", facts=facts))]


def is_possible(column: Column) -> bool:
    """Whether a column has as many values, each in as many rows, as groups have."""
    if column.kind not in (Kind.WHOLE, Kind.TEXT) or column.distinct < _GROUPS:
        return False
    counts = np.bincount(column.codes[column.is_known], minlength=1)
    known = int(counts.sum())
    if counts.max() > _ORDINARY * known:
        return False
    return known >= _ROWS * column.distinct and counts[counts > 1].sum() >= _SHARED * max(known, len(column.codes) / 2)


def _groups(column: Column, likeness: Likeness, classes: int) -> bool:
    if likeness.features >= _FEATURES_ALIKE:
        return True
    is_sure = likeness.target >= _SURE * likeness.target_noise
    if _is_called_so(column):
        return is_sure and likeness.target >= _ALIKE_KEY
    return is_sure and likeness.target >= _ALIKE and column.distinct > _CODES * classes


def _is_called_so(column: Column) -> bool:
    return is_key_name(column.name) or is_unit_name(column.name)


def measure(column: Column, labels: np.ndarray, others: Sequence[Column]) -> Likeness:
    """Likeness in the target and in the other columns.

    Rows of one value are compared with rows of the neighbouring value, or of any two where these are more alike: what changes
    smoothly with a number (an age, a count) is alike in both, what belongs to a group is not. The target of a text, or of a
    number that is called a key, is compared with that of any row: keys may be sorted by class.
    """
    rows = _rows_of_some_groups(column)
    # Sorted by value, at random within: the next row is of the same value or, at an edge, of the next one.
    order = rows[np.lexsort((np.random.default_rng(0).random(len(rows)), column.codes[rows]))]
    codes = column.codes[order]
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    within = np.flatnonzero(codes[1:] == codes[:-1])
    # A row of each value with one of the next value, first with first, last with last and second to first.
    here, there = first[:-1], first[1:]
    labels = labels[order]
    alike = _mean_by_group(labels[within] == labels[within + 1], codes[within])
    counts = np.bincount(labels)
    chance = float(np.sum((counts / counts.sum()) ** 2))
    is_smooth = column.kind is not Kind.TEXT and not _is_called_so(column) and len(here) > 0
    across = max(chance, float(np.mean(labels[here] == labels[there]))) if is_smooth else chance
    room = max(1 - across, 1e-9)
    noise = np.sqrt(max(across * (1 - across), 1e-9) / max(len(first), 1)) / room
    target = (alike - across) / room if across < 1 else 0.0
    measured = [_alike(other.codes[order], within, here, there) for other in _some(others)]
    values = [value for value in measured if value is not None]
    features = float(np.median(values)) if len(values) >= _FEATURES else 0.0
    return Likeness(float(target), float(noise), features)


def _rows_of_some_groups(column: Column) -> np.ndarray:
    """Rows with a value; of a large table those of neighbouring values, so that whole groups stay."""
    rows = np.flatnonzero(column.is_known)
    if len(rows) <= _LOOKED_AT:
        return rows
    blocks = max(column.distinct // _BLOCK, 1)
    kept = np.random.default_rng(0).permutation(blocks)[: max(blocks * _LOOKED_AT // len(rows), 1)]
    return rows[np.isin(column.codes[rows] // _BLOCK, kept)]


def _some(others: Sequence[Column]) -> Sequence[Column]:
    """Other columns with values enough to be alike or not, at most `_OTHERS`."""
    kept = [other for other in others if other.distinct > 2]
    return kept[:: max(-(-len(kept) // _OTHERS), 1)]


def _mean_by_group(values: np.ndarray, groups: np.ndarray) -> float:
    """The mean over groups of their means, so that one large group does not decide."""
    sums, counts = np.bincount(groups, weights=values), np.bincount(groups)
    return float(np.mean(sums[counts > 0] / counts[counts > 0])) if len(values) else 0.0


def _alike(codes: np.ndarray, within: np.ndarray, here: np.ndarray, there: np.ndarray) -> float | None:
    """1 − (mean squared difference inside) / (that between neighbouring values, or of any two rows, if that is less)."""
    ranks = _scaled(codes)
    overall = 2 * float(ranks.var())
    if overall == 0:
        return None
    between = min(overall, float(np.mean((ranks[here] - ranks[there]) ** 2)))
    inside = float(np.mean((ranks[within] - ranks[within + 1]) ** 2))
    return 1 - inside / between if between > 0 else None


def _scaled(codes: np.ndarray) -> np.ndarray:
    """Ranks of the codes, so that no value is too far out."""
    return np.cumsum(np.bincount(codes + 1))[codes + 1] / len(codes)
