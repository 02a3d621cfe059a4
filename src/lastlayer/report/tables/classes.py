"""Class by class: rows, recall and precision, and which classes are taken for which."""

from __future__ import annotations

import math

from lastlayer.report.confusion import Confusion, confusion_of
from lastlayer.report.reading import Reading, Row
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.words.lists import plural
from lastlayer.words.names import shorten_apart
from lastlayer.words.numbers import MISSING, integer, number
from lastlayer.words.printable import clean

#: With more classes than this, the page lists those with the lowest recall.
MOST_CLASSES = 20
#: With more classes than this, the matrix becomes a list of the most confused pairs.
MOST_IN_MATRIX = 12
_PAIRS = 12
#: Longest name of a class in the matrix' header where these are names and not numbers, and how many of them fit.
_SHORT, _FEW = 10, 4


def class_table(reading: Reading, row: Row) -> Table | None:
    """Rows, recall and precision of each class under one mapping."""
    found = confusion_of(reading, row.label)
    if found is None:
        return None
    counts = reading.results.class_counts
    order = list(range(len(counts)))
    if is_cut := len(order) > MOST_CLASSES:
        order = sorted(order, key=lambda k: (not math.isnan(found.recall(k)), found.recall(k), k))[:MOST_CLASSES]
    names, largest = class_names(reading), max(counts)
    return Table(
        id="classes",
        caption=f"{f'The {MOST_CLASSES} classes with the lowest recall' if is_cut else 'Class by class'}, {row.name}",
        columns=["Rows", "Recall", "Precision"],
        rows=[
            (
                Head(names[k]),
                [
                    Cell(integer(counts[k]), float(counts[k]), bar=counts[k] / largest),
                    _share_cell(found.recall(k)),
                    _share_cell(found.precision(k)),
                ],
            )
            for k in order
        ],
        note="Rows of the data. Recall: the share of a class’s test rows that are predicted as it. Precision: the share of the rows "
        f"predicted as it that are of the class; {MISSING} where none is. {_pooled(reading)}",
        corner="Class",
        kind="narrow",
    )


def confusion_table(reading: Reading, row: Row) -> Table | None:
    """The matrix of classes and predictions, darker where the share of the class is larger; None for many classes."""
    found = confusion_of(reading, row.label)
    K = reading.results.n_classes
    if found is None or K > MOST_IN_MATRIX:
        return None
    names = class_names(reading)
    is_named = K <= _FEW and max(map(len, names)) <= _SHORT
    heads = names if is_named else [str(k + 1) for k in range(K)]
    rows = [
        (Head(name if is_named else f"{k + 1} {name}"), [_matrix_cell(found, k, other) for other in range(K)])
        for k, name in enumerate(names)
    ]
    if found.outside.any():
        heads = [*heads, "outside"]
        rows = [(h, [*cells, Cell(integer(int(found.outside[k])))]) for k, (h, cells) in enumerate(rows)]
    return Table(
        id="confusion",
        caption=f"Rows: the true class; columns: the predicted one{'' if is_named else ', by number'}. {row.name}",
        columns=heads,
        rows=rows,
        corner="True class",
        kind="matrix",
    )


def pairs_table(reading: Reading, row: Row) -> Table | None:
    """The most confused pairs, where there are too many classes for a matrix."""
    found = confusion_of(reading, row.label)
    if found is None or reading.results.n_classes <= MOST_IN_MATRIX:
        return None
    names = class_names(reading)
    pairs = found.most_confused(_PAIRS)
    if not pairs:
        return None
    return Table(
        id="pairs",
        caption=f"The {plural(len(pairs), 'most frequent error')}, {row.name}",
        columns=["Taken for", "Test rows", "Share of the class"],
        rows=[
            (
                Head(names[k]),
                [Cell(names[other], is_word=True), Cell(integer(n)), _share_cell(n / int(found.actual[k]))],
            )
            for k, other, n in pairs
        ],
        corner="True class",
        kind="narrow",
    )


def class_names(reading: Reading) -> list[str]:
    """The names of the classes, short enough for a table and all different."""
    names = [clean(name) or "(empty)" for name in reading.results.class_names]
    return shorten_apart(names, 40) if len(names) <= 200 else [name[:40] for name in names]


def _matrix_cell(found: Confusion, k: int, other: int) -> Cell:
    count, rows = int(found.matrix[k, other]), int(found.actual[k])
    part = count / rows if rows else 0.0
    return Cell(integer(count) if count else "·", float(count), shade=math.ceil(9 * part))


def _share_cell(value: float) -> Cell:
    return Cell(number(value, 3), value, bar=None if math.isnan(value) else value)


def _pooled(reading: Reading) -> str:
    repeats = reading.results.settings.repeats
    times = (
        ""
        if repeats == 1
        else f" and {repeats} repeats, so that each row counts {'twice' if repeats == 2 else f'{repeats} times'}"
    )
    return f"Test rows of all folds{times}."
