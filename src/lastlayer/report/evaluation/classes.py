"""The classes whose probabilities are furthest off, and the classes that are taken for each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lastlayer.evaluation import Evaluation
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.words.lists import plural
from lastlayer.words.names import shorten, shorten_apart
from lastlayer.words.numbers import MISSING, integer, number, share
from lastlayer.words.printable import clean

#: With more classes than this, the page lists those with the largest calibration error.
MOST_CLASSES = 12
#: Pairs of classes that the page lists.
MOST_PAIRS = 12
_NAME = 40


def class_table(evaluation: Evaluation) -> Table | None:
    """How often each class occurs, what probability it gets on average, recall and precision."""
    lines = list(evaluation.classes)
    if not lines:
        return None
    if is_cut := len(lines) > MOST_CLASSES:
        lines = sorted(lines, key=lambda line: (math.isnan(line["ece"]), -line["ece"]))[:MOST_CLASSES]
    names = _names(evaluation, [int(line["class"]) for line in lines])
    return Table(
        id="classes",
        caption=f"The {MOST_CLASSES} classes with the largest calibration error" if is_cut else "Class by class",
        columns=["Rows", "Share", "Mean probability", "ECE", "Recall", "Precision"],
        rows=[(Head(name), _cells(line, evaluation.n_rows)) for name, line in zip(names, lines, strict=True)],
        note="Share: of all rows. Mean probability: what the model gives the class on average over all rows; above the share, "
        f"the model expects the class too often. ECE: the calibration error of the class’s probability. {MISSING}: no such row.",
        corner="Class",
        kind="narrow",
    )


def pairs_table(evaluation: Evaluation) -> Table | None:
    """The most frequent errors."""
    lines = [line for line in evaluation.confusions if line["count"] > 0][:MOST_PAIRS]
    if not lines:
        return None
    actual = _names(evaluation, [int(line["actual"]) for line in lines], are_apart=False)
    predicted = _names(evaluation, [int(line["predicted"]) for line in lines], are_apart=False)
    return Table(
        id="pairs",
        caption=f"The {plural(len(lines), 'most frequent error')}" if len(lines) > 1 else "The most frequent error",
        columns=["Taken for", "Rows", "Share of the class"],
        rows=[
            (
                Head(name),
                [
                    Cell(other, is_word=True),
                    Cell(integer(int(line["count"]))),
                    Cell(share(line["share"]), float(line["share"]), bar=min(max(float(line["share"]), 0.0), 1.0)),
                ],
            )
            for name, other, line in zip(actual, predicted, lines, strict=True)
        ],
        corner="True class",
        kind="main",
    )


def _cells(line: Mapping[str, Any], n_rows: int) -> list[Cell]:
    rows = int(line["rows"])
    part = rows / n_rows if n_rows else math.nan
    numbers = [float(line[key]) for key in ("mean_probability", "ece", "recall", "precision")]
    mean, error, recall, precision = numbers
    return [
        Cell(integer(rows)),
        Cell(share(part), part),
        Cell(share(mean), _known(mean)),
        Cell(number(error, 4), _known(error)),
        Cell(number(recall, 3), _known(recall), bar=_known(recall)),
        Cell(number(precision, 3), _known(precision), bar=_known(precision)),
    ]


def _names(evaluation: Evaluation, indices: list[int], *, are_apart: bool = True) -> list[str]:
    """The names of classes, short enough for a table; all different where each is listed once."""
    names = [clean(evaluation.class_names[k]) or "(empty)" for k in indices]
    return shorten_apart(names, _NAME) if are_apart else [shorten(name, _NAME) for name in names]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
