"""The rows that are evaluated: scores with labels, from files, arrays or tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from lastlayer.calibration import KINDS, ScoreRows
from lastlayer.calibration.score_rows import Kind
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.class_findings import class_findings
from lastlayer.evaluation.read.columns import ScorePart, column_of, holds, label_cells, score_part
from lastlayer.evaluation.read.formats import is_path, open_source
from lastlayer.evaluation.read.groups import read_groups
from lastlayer.evaluation.read.kind import Decision, check_masked_rows, decide_kind, zero_findings
from lastlayer.evaluation.read.labels import Labels, read_labels
from lastlayer.evaluation.read.row_facts import RowFacts, row_facts
from lastlayer.evaluation.read.score_array import check_scores
from lastlayer.evaluation.read.sources import OneArray, Source
from lastlayer.files import expanded
from lastlayer.findings import Finding


@dataclass(frozen=True)
class Inputs:
    """Scores and labels of the rows that count.

    Attributes:
        name: the file of the scores, or "array".
        path: of that file; None for an array.
        scores: (n, K), only the rows that count.
        labels: (n,) int64, 0 … K − 1.
        groups: (n,) int64, one number per group; None without groups.
        class_names: in the order of the columns; None without names.
        n_left_out: rows without a label, or with NaN.
        findings: from reading, and from deciding what the numbers are.
    """

    name: str
    path: Path | None
    scores: ScoreRows
    labels: np.ndarray
    groups: np.ndarray | None
    class_names: tuple[str, ...] | None
    n_left_out: int
    findings: tuple[Finding, ...]


def read_inputs(
    scores: Any,
    labels: Any = None,
    *,
    target: str | None = None,
    kind: str | None = None,
    groups: Any = None,
    key: str | None = None,
    labels_key: str | None = None,
    class_names: Sequence[str] | None = None,
    labels_option: str = "--labels",
) -> Inputs:
    """Scores (n, K) and labels (n,), checked; rows without a label or with NaN are left out and counted.

    Args:
        scores: a path (.npy, .npz, .csv, .tsv, .txt, .parquet, .safetensors, .pt), an array or tensor (n, K), a DataFrame with
            one column per class, or a dictionary of arrays. One dimension or one column means two classes.
        labels: the same with one label per row: integers 0 … K − 1, names of the columns, or one-hot rows; −100 and what is
            missing is no label. None if the labels are with the scores.
        target: the column of the labels.
        kind: "scores" or "probabilities"; None to find out.
        groups: a column's or an array's name, a path, or an array (n,): rows that belong together.
        key: the name of the scores in a file of arrays.
        labels_key: the name of the labels in a file of arrays.
        class_names: the names of the classes in the order of the columns.
        labels_option: the option of the command that gives `labels`, for messages.

    Raises:
        EvaluationError: a file, an array or a label is not what it must be, no row is left, or it is not clear what the numbers are.
    """
    _check_options(kind, target, labels_key)
    source = open_source(scores, "scores")
    part = _open_scores(source, labels, target or labels_key, groups, key)
    name = os.path.basename(os.fspath(scores)) if is_path(scores) else "array"
    where = name if is_path(scores) else "The array of scores"
    check_scores(part.array, where)
    n = len(part.array)
    read, label_source = _read_labels(part, labels, target or labels_key, class_names, where, labels_option)
    facts = row_facts(part.array)
    rows, left_out = _rows_that_count(read, facts.has_nan, where)
    kept = facts.take(rows)
    decision = _decide(part, kept, rows, cast("Kind | None", kind), where)
    if decision.kind == "scores" and not ScoreRows(part.array).is_one_column:
        check_masked_rows(kept, rows, where)
    known_labels = read.codes[rows]
    zeros = zero_findings(part.array, kept, rows, known_labels) if decision.kind == "probabilities" else ()
    return Inputs(
        name=name,
        path=expanded(scores) if is_path(scores) else None,
        scores=ScoreRows(part.array, decision.kind, None if len(rows) == n else rows),
        labels=known_labels,
        groups=_groups(part, groups, label_source, n, rows),
        class_names=read.class_names,
        n_left_out=n - len(rows),
        findings=(
            *part.findings,
            *left_out,
            *decision.findings,
            *zeros,
            *read.findings,
            *class_findings(known_labels, ScoreRows(part.array).n_classes, read.class_names),
        ),
    )


def _check_options(kind: str | None, target: str | None, labels_key: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise EvaluationError(f"There is no kind {kind!r}; give 'scores' or 'probabilities'.")
    if target is not None and labels_key is not None and target != labels_key:
        raise EvaluationError(f"The labels are named twice, {target!r} and {labels_key!r}; leave one of them out.")


def _open_scores(source: Source, labels: Any, label_name: str | None, groups: Any, key: str | None) -> ScorePart:
    group_name = groups if isinstance(groups, str) and holds(source, groups) else None
    if labels is None:
        return score_part(source, key, label_name, group_name, wants_labels=True)
    return score_part(source, key, None, group_name, wants_labels=False)


def _read_labels(
    part: ScorePart, labels: Any, label_name: str | None, class_names: Sequence[str] | None, where: str, option: str
) -> tuple[Labels, Source | None]:
    """The labels of all rows, and their source if it is another one than the scores'."""
    n, n_classes = len(part.array), ScoreRows(part.array).n_classes
    cells, labels_where, source = _open_labels(part, labels, label_name, n, option)
    if len(cells) != n:
        raise EvaluationError(
            f"{where} has {n} rows, and {labels_where} has {len(cells)} labels; give one label per row of scores."
        )
    return read_labels(cells, n_classes, _names(class_names, part, n_classes), labels_where), source


def _decide(part: ScorePart, kept: RowFacts, rows: np.ndarray, kind: Kind | None, where: str) -> Decision:
    """What the numbers are: what the user says, else what the array's name says, else what they look like."""
    if kind is not None:
        return decide_kind(part.array, kept, rows, kind, kind, where)
    return decide_kind(part.array, kept, rows, part.kind, f"{part.kind} by its name", where)


def _open_labels(
    part: ScorePart, labels: Any, label_name: str | None, n: int, option: str
) -> tuple[Any, str, Source | None]:
    """The cells of the labels, what holds them, and their source where that is another one than the scores'."""
    if labels is None:
        if part.labels is None:
            raise EvaluationError(
                f"There are no labels; give a file of labels with {option}, or name their column with --target."
            )
        return part.labels, part.labels_where, None
    source = open_source(labels, "labels", n)
    if label_name is not None and isinstance(source, OneArray):
        raise EvaluationError(
            f"The labels are named twice, by {label_name!r} and by {source.name if is_path(labels) else 'an array'}; leave one of them out."
        )
    cells, where = label_cells(source, label_name)
    return np.atleast_1d(cells), where if is_path(labels) else "The array of labels", source


def _names(given: Sequence[str] | None, part: ScorePart, n_classes: int) -> tuple[str, ...] | None:
    if given is None:
        return part.names
    names = tuple(map(str, given))
    if len(names) != n_classes or len(set(names)) != n_classes:
        raise EvaluationError(
            f"class_names has {len(set(names))} different names, and there are {n_classes} classes; give one per column."
        )
    return names


def _rows_that_count(read: Labels, has_nan: np.ndarray, where: str) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """The indices of rows with a label and without NaN, and findings on the others."""
    has_label = read.codes >= 0
    is_nan = has_label & has_nan
    rows = np.flatnonzero(has_label & ~has_nan)
    n_unlabelled, n_nan = int(np.count_nonzero(~has_label)), int(np.count_nonzero(is_nan))
    if not len(rows):
        raise EvaluationError(
            f"{where} has no row with a label and without NaN ({n_unlabelled} without a label, {n_nan} with NaN), so there is nothing to "
            "evaluate; check that the labels are of these rows."
        )
    found = []
    if n_nan:
        found.append(Finding("nan_rows", "", {"rows": n_nan, "row": int(np.argmax(is_nan))}))
    if n_unlabelled:
        found.append(Finding("rows_without_label", "", {"rows": n_unlabelled}))
    return rows, tuple(found)


def _groups(part: ScorePart, groups: Any, label_source: Source | None, n: int, rows: np.ndarray) -> np.ndarray | None:
    """The group of each row that counts: from a column of the scores or of the labels, a file, or an array."""
    if groups is None:
        return None
    if part.groups is not None:
        cells, where = part.groups, f"{groups!r}"
    elif isinstance(groups, str) and label_source is not None and holds(label_source, groups):
        cells, where = column_of(label_source, groups), f"{groups!r}"
    elif isinstance(groups, str) and not _exists(groups):
        raise EvaluationError(
            f"There is no column and no file {groups!r}; name a column of the scores or of the labels, or a file."
        )
    else:
        cells, where = label_cells(open_source(groups, "groups", n), None)
    codes = read_groups(cells, n, where)[rows]
    if len(np.unique(codes)) < 2:
        raise EvaluationError("All rows are in one group, so no interval can be given; leave the groups out.")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _exists(text: str) -> bool:
    """Whether there is a file of this name; a name that is too long is none."""
    try:
        return expanded(text).exists()
    except OSError:
        return False
