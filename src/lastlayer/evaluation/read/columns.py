"""Which columns of a table, or which arrays of a file, are scores, labels and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from lastlayer.calibration.score_rows import Kind
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.cells import read_cells
from lastlayer.evaluation.read.names import LABELS, SCORES, is_label_name, kind_of_name, quoted
from lastlayer.evaluation.read.sources import NamedArrays, OneArray, Source, Table
from lastlayer.findings import Finding

#: Names of columns that number the rows: written by pandas, or by hand.
_WRITTEN = ("", "unnamed: 0", "__index_level_0__", "level_0")
_NUMBERED = ("index", "id", "idx", "row", "row_id", "sample", "sample_id", "image_id", "example_id")
#: How far from one probabilities may sum, and what a column that is no class adds to some row.
_SUM, _MORE = 1e-2, 0.05


@dataclass(frozen=True)
class ScorePart:
    """Scores and what came with them.

    Attributes:
        array: (n, K) or (n,).
        labels: cells of the labels, if they are in the same source.
        labels_where: what holds them, for messages.
        names: of the columns.
        kind: what the array's name says that it is.
        groups: cells of the groups, if they are in the same source.
        findings: columns that were left out.
    """

    array: np.ndarray
    labels: Any = None
    labels_where: str = ""
    names: tuple[str, ...] | None = None
    kind: Kind | None = None
    groups: Any = None
    findings: tuple[Finding, ...] = ()


def holds(source: Source, name: str) -> bool:
    """Whether a source has an array or a column of this name."""
    names = source.names if isinstance(source, NamedArrays) else source.columns if isinstance(source, Table) else ()
    return name in names


def column_of(source: Source, name: str) -> np.ndarray:
    """The cells of a column, or an array by name."""
    if isinstance(source, Table):
        return source.cells(source.columns.index(name))
    assert isinstance(source, NamedArrays)
    return source.load(name)


def score_part(
    source: Source, key: str | None, label_name: str | None, group_name: str | None, wants_labels: bool
) -> ScorePart:
    """The scores of a source, and its labels where they are wanted.

    Args:
        source: what was opened.
        key: the name of the array of scores; None to find it.
        label_name: the name of the labels' column or array; None to find it.
        group_name: the name of the groups' column or array.
        wants_labels: whether the labels must be here.

    Raises:
        EvaluationError: there is no such array or column, or it is not clear which one is meant.
    """
    if isinstance(source, OneArray):
        for name in (key, label_name):
            if name is not None:
                raise EvaluationError(
                    f"{source.name} is one array without names, so there is no {name!r} in it; leave the name out."
                )
        return ScorePart(source.array)
    found = label_name if label_name is not None else find_labels(source) if wants_labels else None
    if found is not None and not holds(source, found):
        raise _no_name(source, found)
    where = "" if found is None else f"{found!r} of {source.name}"
    labels = None if found is None else column_of(source, found)
    groups = None if group_name is None else column_of(source, group_name)
    if isinstance(source, NamedArrays):
        name = key if key is not None else _find_scores(source, (found, group_name))
        if name not in source.names:
            raise _no_name(source, name)
        return ScorePart(source.load(name), labels, where, None, kind_of_name(name), groups)
    if key is not None:
        raise EvaluationError(f"{source.name} is a table, so no array {key!r} is in it; each class is a column.")
    return _table_part(source, ScorePart(np.empty(0), labels, where, groups=groups), (found, group_name))


def _table_part(table: Table, part: ScorePart, taken: Sequence[str | None]) -> ScorePart:
    def is_no_class(name: str) -> bool:
        # Labels that come from elsewhere leave a column of labels in the table.
        return _numbers_rows(table, name) or (part.labels is None and _is_labels(table, name))

    left_out = [name for name in table.columns if name not in taken and is_no_class(name)]
    kept = [i for i, name in enumerate(table.columns) if name not in taken and name not in left_out]
    extra = _no_label_names(table, part.labels, kept)
    left_out += [table.columns[i] for i in extra]
    kept = [i for i in kept if i not in extra]
    if not kept:
        raise EvaluationError(
            f"{table.name} has no column of scores ({quoted(table.columns)}); give one column per class."
        )
    findings = (Finding("columns_left_out", "", {"columns": left_out}),) if left_out else ()
    names = tuple(table.columns[i] for i in kept) if table.has_names else None
    kind = kind_of_name(names[0]) if names is not None and len(names) == 1 else None
    return ScorePart(table.numbers(kept), part.labels, part.labels_where, names, kind, part.groups, findings)


def _no_label_names(table: Table, labels: np.ndarray | None, kept: Sequence[int]) -> list[int]:
    """Columns that are no label's name, where every label has a column: those of text, such as predictions or dates.

    Columns of numbers as well, if the others have probabilities that sum to one without them.
    """
    if labels is None or not table.has_names:
        return []
    try:
        texts = set(read_cells(labels, table.name).texts)
    except EvaluationError:
        return []
    named = [i for i in kept if table.columns[i].strip() in texts]
    if not 2 <= len(named) == len(texts):
        return []
    others = [i for i in kept if i not in named]
    numbers = [i for i in others if _holds_numbers(table, i)]
    return [i for i in others if i not in numbers or _sum_without(table, named, numbers)]


def _holds_numbers(table: Table, column: int) -> bool:
    try:
        table.numbers([column])
    except EvaluationError:
        return False
    return True


def _sum_without(table: Table, named: Sequence[int], others: Sequence[int]) -> bool:
    """Whether the named columns sum to one in every row, and the others would change that in some row."""
    try:
        sums, more = (table.numbers(list(columns)).sum(axis=1) for columns in (named, others))
    except EvaluationError:
        return False
    # A class that no label has may have small probabilities.
    return bool(np.all(np.abs(sums - 1) <= _SUM)) and bool(np.any(np.abs(more) > _MORE))


def _numbers_rows(table: Table, name: str) -> bool:
    """Whether a column numbers the rows: it has the name that pandas writes, or a name like this and a different integer in each row."""
    if not table.has_names or len(table.columns) == 1:
        return False
    known = name.strip().lower()
    if known in _WRITTEN:
        return True
    if known not in _NUMBERED:
        return False
    try:
        cells = read_cells(table.cells(table.columns.index(name)), table.name, ignored=None)
    except EvaluationError:
        return False
    return len(cells.values) == len(cells.codes) and (cells.is_whole or not all(map(_is_number, cells.texts)))


def _is_labels(table: Table, name: str) -> bool:
    """Whether a column has a name of labels, and holds whole numbers or texts, which scores hardly are."""
    if not table.has_names or len(table.columns) == 1 or not is_label_name(name):
        return False
    try:
        cells = read_cells(table.cells(table.columns.index(name)), table.name)
    except EvaluationError:
        return False
    return cells.is_whole or not any(map(_is_number, cells.texts))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def find_labels(source: NamedArrays | Table) -> str | None:
    """The array or column whose name is one of labels; the usual names first."""
    names = source.names if isinstance(source, NamedArrays) else source.columns
    known = [name for name in names if is_label_name(name)]
    return min(known, key=lambda name: LABELS.index(name.strip().lower()), default=None)


def _find_scores(source: NamedArrays, taken: Sequence[str | None]) -> str:
    known = [name for name in source.names if name.lower() in SCORES and name not in taken]
    left = [name for name in source.names if name not in taken and not is_label_name(name)]
    if len(known) == 1 or len(left) == 1:
        return (known or left)[0]
    if known:
        raise EvaluationError(f"{source.name} holds {quoted(known)}; say with key (--key) which of them to evaluate.")
    raise EvaluationError(
        f"{source.name} holds {quoted(source.names)}; say with key (--key) which of them are the scores, or save them as 'scores' or "
        "'probabilities', with 'labels'."
    )


def label_cells(source: Source, name: str | None) -> tuple[np.ndarray, str]:
    """The cells of labels or groups in a source of their own, and what holds them.

    Raises:
        EvaluationError: it is not clear which column is meant.
    """
    if isinstance(source, OneArray):
        return source.array, source.name if source.name != "array" else "The array"
    names = source.names if isinstance(source, NamedArrays) else source.columns
    found = name
    if found is None:
        left = names if isinstance(source, NamedArrays) else [one for one in names if not _numbers_rows(source, one)]
        found = left[0] if len(left) == 1 else find_labels(source)
    if found is None:
        raise EvaluationError(f"{source.name} holds {quoted(names)}; name the one with the labels (--target).")
    if found not in names:
        raise _no_name(source, found)
    return column_of(source, found), source.name if len(names) == 1 else f"{found!r} of {source.name}"


def _no_name(source: NamedArrays | Table, name: str) -> EvaluationError:
    is_table = isinstance(source, Table)
    names = source.columns if isinstance(source, Table) else source.names
    near = get_close_matches(name, names, n=1)
    hint = f"; the nearest name is {near[0]!r}" if near else ""
    return EvaluationError(
        f"{source.name} has no {'column' if is_table else 'array'} {name!r}{hint}; there are {quoted(names)}."
    )
