"""Classes that nearly always or hardly ever occur, and too few rows for a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding

#: A class dominates from this share of the rows on.
_DOMINATES = 0.95
#: A class hardly occurs with fewer test rows than this in a fold, and less than this share of an equal part of the rows.
_TEST_ROWS, _PART = 5, 0.2
#: Fewer rows, or rows per class, than this decide nothing.
_FEW, _FEW_PER_CLASS = 60, 6
#: The share of rows that two classifiers usually answer differently.
_DISAGREE = 0.1


def class_sizes(labels: np.ndarray, names: Sequence[str], folds: int) -> list[Finding]:
    """What the number of rows, and of each class, leaves unsaid."""
    counts = np.bincount(labels, minlength=max(len(names), 1))
    return [*_few_rows(counts, names), *_dominates(counts, names), *_hardly_occurs(counts, names, folds)]


def _few_rows(counts: np.ndarray, names: Sequence[str]) -> list[Finding]:
    rows, classes = int(counts.sum()), int(np.count_nonzero(counts))
    if rows == 0 or (rows >= _FEW and rows >= _FEW_PER_CLASS * classes):
        return []
    rarest = int(np.argmin(np.where(counts > 0, counts, rows + 1)))
    facts = {
        "rows": rows,
        "classes": classes,
        "rarest": names[rarest],
        "rarest_rows": int(counts[rarest]),
        # Seen four times out of five at the level 0.05: 1.96 + 0.84 standard errors of a paired difference.
        "detectable": min(2.8 * math.sqrt(_DISAGREE / rows), 1.0),
        "disagree": _DISAGREE,
    }
    return [Finding("few_rows", facts=facts)]


def _dominates(counts: np.ndarray, names: Sequence[str]) -> list[Finding]:
    rows, largest = int(counts.sum()), int(np.argmax(counts))
    share = counts[largest] / max(rows, 1)
    if share < _DOMINATES or np.count_nonzero(counts) < 2:
        return []
    facts = {
        "class": names[largest],
        "share": float(share),
        "rows": rows,
        "others": rows - int(counts[largest]),
        "brier": float(1 - np.sum((counts / rows) ** 2)),
    }
    return [Finding("class_dominates", facts=facts)]


def _hardly_occurs(counts: np.ndarray, names: Sequence[str], folds: int) -> list[Finding]:
    rows, present = int(counts.sum()), np.flatnonzero(counts)
    limit = min(_TEST_ROWS * folds, _PART * rows / max(len(present), 1))
    rare = sorted((int(label) for label in present if counts[label] < limit), key=lambda label: int(counts[label]))
    if not rare:
        return []
    facts = {
        "classes": [[names[label], int(counts[label])] for label in rare[:5]],
        "more": len(rare[5:]),
        "folds": folds,
        "test_rows": float(counts[rare[0]] / folds),
    }
    return [Finding("class_hardly_occurs", facts=facts)]


def more_columns_than_rows(shape: tuple[int, int]) -> list[Finding]:
    """The finding that a linear model can fit any labels of these rows, or none."""
    rows, columns = shape
    return [Finding("more_columns_than_rows", facts={"rows": rows, "columns": columns})] if columns > rows > 0 else []
