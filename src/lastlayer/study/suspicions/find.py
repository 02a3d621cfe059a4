"""Everything about a table that calls a shuffled split of it into question, found before any fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.settings import StudySettings
from lastlayer.study.suspicions import drift, near_copies
from lastlayer.study.suspicions.class_sizes import class_sizes, more_columns_than_rows
from lastlayer.study.suspicions.columns import Column, Kind, read_column, read_columns
from lastlayer.study.suspicions.determined import determined, determining_columns
from lastlayer.study.suspicions.duplicates import duplicate_rows
from lastlayer.study.suspicions.groups import is_possible, repeats_like_groups
from lastlayer.study.suspicions.identifiers import identifier_columns, identifiers, identifies
from lastlayer.study.suspicions.names import is_key_name, is_unit_name
from lastlayer.study.suspicions.order import drifts
from lastlayer.study.suspicions.samples import balanced, block, evenly, first_rows, whole_rows

#: Cells that are read at once; of larger tables a part of the rows is.
_CELLS = 2_500_000
#: Rows that a single column's prediction is tried on.
_ALONE = 3000
#: Rows that groups are looked for in, and columns of a large table that are looked at again for them.
_GROUP_ROWS, _GROUP_COLUMNS = 40_000, 5


def find_suspicions(data: Dataset, settings: StudySettings) -> tuple[Finding, ...]:
    """What a reader must know before believing any result on this table.

    Leaks (identifiers, codes of the target), rows that fall into both parts of a split (copies, groups), change with the
    order of the rows or a date, and classes or tables too small. Nothing is claimed about groups or time where the user
    named them. The same table gives the same findings; large ones are looked at in part.
    """
    frame, labels = data.features, np.asarray(data.labels, dtype=np.int64)
    sizes = class_sizes(labels, data.class_names, settings.folds)
    if len(labels) == 0 or frame.shape[1] == 0:
        return tuple(sizes)
    table = _Table(frame, labels)
    numbering = table.numbering()
    leaks = table.identifiers(numbering)
    grouping = [] if data.groups is not None else table.grouping(set(numbering))
    suspects = {*numbering, *(position for position, _ in grouping)}
    leaks += table.determined(suspects, grouping)
    columns, copied, rows = table.for_copies(set(numbering))
    # A dataset made by hand has no rows of a file.
    copies = duplicate_rows(columns, copied, data.rows[rows] if len(data.rows) else rows)
    near = [] if data.groups is not None or grouping else table.near_copies(set(numbering))
    changes = [] if data.time is not None else table.drifts(data, suspects, grouping, not near)
    groups = [finding for _, finding in grouping]
    return (*leaks, *groups, *near, *copies, *changes, *sizes, *more_columns_than_rows(frame.shape))


class _Table:
    """A table that reads as many rows as are needed, each column once."""

    def __init__(self, frame: pd.DataFrame, labels: np.ndarray) -> None:
        self.frame, self.all_labels = frame, labels
        self.rows = evenly(len(labels), max(_CELLS // frame.shape[1], 2000))
        self.labels = labels[self.rows]
        self.columns = read_columns(frame, self.rows)
        self.is_whole = len(self.rows) == len(labels)

    def numbering(self) -> list[int]:
        """Positions of the columns that number or identify the rows."""
        found = identifier_columns(self.columns, self.labels)
        if self.is_whole:
            return found
        # A value that is alone among some rows may repeat in the others.
        everything = np.arange(len(self.all_labels))
        return [position for position in found if identifies(self._read(position, everything))]

    def identifiers(self, numbering: list[int]) -> list[Finding]:
        """Findings for these columns, about all rows."""
        everything = np.arange(len(self.all_labels))
        columns = [self.columns[place] if self.is_whole else self._read(place, everything) for place in numbering]
        return identifiers(columns, self.all_labels, range(len(columns)))

    def grouping(self, leave_out: set[int]) -> list[tuple[int, Finding]]:
        """The position and the finding of the column that groups the rows."""
        if self.is_whole:
            return repeats_like_groups(self.columns, self.labels, leave_out)
        places = [
            place
            for place, column in enumerate(self.columns)
            if place not in leave_out and column.kind in (Kind.WHOLE, Kind.TEXT) and column.distinct >= 15
        ]
        # Keys first; then those with most values.
        places.sort(key=lambda place: (-_is_called_so(self.columns[place].name), -self.columns[place].distinct))
        for place in places[:_GROUP_COLUMNS]:
            column = self._read(place, np.arange(len(self.all_labels)))
            if is_possible(column):
                rows = whole_rows(column.codes, _GROUP_ROWS)
                others = [other for other in range(len(self.columns)) if other != place]
                looked_at = [self._read(other, rows) for other in others[:: max(len(others) // 50, 1)]]
                found = repeats_like_groups(
                    [column.at(rows), *looked_at], self.all_labels[rows], set(range(1, len(looked_at) + 1))
                )
                if found:
                    facts = {**found[0][1].facts, "groups": column.distinct, "rows": len(self.all_labels)}
                    return [(place, replace(found[0][1], facts=facts))]
        return []

    def determined(self, leave_out: set[int], grouping: list[tuple[int, Finding]]) -> list[Finding]:
        """Findings for columns that give the target away.

        Of equal rows, and of each group, one row is looked at: every value in several rows of one target looks like a code.
        """
        codes = [self.columns[place].codes for place, _ in grouping] or [column.codes for column in self.columns]
        distinct = first_rows([*codes, self.labels])
        rows = distinct[balanced(self.labels[distinct], _ALONE)]
        columns, labels = [column.at(rows) for column in self.columns], self.labels[rows]
        candidates = determining_columns(columns, labels)
        return determined(columns, labels, candidates, leave_out, np.arange(len(rows)))

    def for_copies(self, leave_out: set[int]) -> tuple[list[Column], np.ndarray, np.ndarray]:
        """Columns and labels of these rows, which hold equal rows together; without numbers of the rows. A name makes rows differ."""
        kept = [
            place for place, column in enumerate(self.columns) if place not in leave_out or column.kind is Kind.TEXT
        ]
        if self.is_whole:
            return [self.columns[place] for place in kept], self.labels, self.rows
        # Equal rows agree in the columns with most values, so these choose the rows.
        widest = sorted(kept, key=lambda place: -self.columns[place].distinct)[:3]
        everything = np.arange(len(self.all_labels))
        keys = np.stack([self._read(place, everything).codes for place in widest])
        rows = whole_rows(np.unique(keys, axis=1, return_inverse=True)[1].ravel(), len(self.rows))
        return [self._read(place, rows) for place in kept], self.all_labels[rows], rows

    def near_copies(self, leave_out: set[int]) -> list[Finding]:
        """The finding that rows are near copies of each other."""
        kept = [place for place in range(len(self.columns)) if place not in leave_out]
        if self.is_whole and len(self.labels) <= near_copies.WITHIN:
            return near_copies.near_copies([self.columns[place] for place in kept], self.labels)
        # Sessions mostly follow each other in a file; a sample would tear them apart.
        rows = block(len(self.all_labels), near_copies.WITHIN)
        numbers = [place for place in kept if self.columns[place].kind in (Kind.NUMBER, Kind.WHOLE)]
        numbers = numbers[:: max(len(numbers) // near_copies.WIDTH, 1)]
        return near_copies.near_copies([self._read(place, rows) for place in numbers], self.all_labels[rows])

    def drifts(
        self, data: Dataset, leave_out: set[int], grouping: list[tuple[int, Finding]], by_rows: bool
    ) -> list[Finding]:
        """Findings for change with a date or the order of the rows."""
        rows = evenly(len(self.labels), drift.ROWS)
        columns = [column.at(rows) for column in self.columns]
        known = None
        if data.groups is not None:
            known = np.unique(np.asarray(data.groups)[self.rows[rows]], return_inverse=True)[1]
        elif grouping:
            known = columns[grouping[0][0]].codes + 1
        return drifts(columns, self.labels[rows], data.class_names, leave_out, known, by_rows)

    def _read(self, position: int, rows: np.ndarray) -> Column:
        return read_column(self.frame.iloc[:, position], rows)


def _is_called_so(name: str) -> bool:
    return is_key_name(name) or is_unit_name(name)
