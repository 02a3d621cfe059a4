"""Labels as integers from 0 to K − 1: from integers, names of classes, or one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.cells import IGNORED, Cells, read_cells
from lastlayer.evaluation.read.names import quoted
from lastlayer.findings import Finding


@dataclass(frozen=True)
class Labels:
    """The labels of all rows.

    Attributes:
        codes: (n,) int64, 0 … K − 1; −1 where there is no label.
        class_names: the names of the classes, which the labels may add to or shorten; None without names.
        findings: how they were read, if that is not plain.
    """

    codes: np.ndarray
    class_names: tuple[str, ...] | None
    findings: tuple[Finding, ...] = ()


def read_labels(cells: Any, n_classes: int, names: Sequence[str] | None, where: str) -> Labels:
    """The labels in cells (n,), or in one-hot rows (n, K).

    Names of columns come before numbers: where every label is the name of a column, it is that column. A prefix that all these
    names share may be missing in the labels. Texts without names of columns are taken in sorted order, which is scikit-learn's.

    Args:
        cells: integers, whole floats, bools or texts; −100, NaN, None and empty texts are missing labels.
        n_classes: K.
        names: of the columns; None without. One name for K = 2 is that of the second class.
        where: what holds the labels, for messages.

    Raises:
        EvaluationError: a label is no class.
    """
    array = np.asarray(cells)
    if array.ndim == 2 and array.shape[1] > 1:
        return Labels(_one_hot(array, n_classes, where), _all_names(names, n_classes))
    if array.ndim == 2:
        array = array[:, 0]
    if array.ndim != 1:
        raise EvaluationError(f"{where} has labels of the shape {array.shape}; give one label per row, (n,).")
    found = read_cells(array, where, keep=frozenset(names or ()))
    if not found.values:
        return Labels(found.codes, _all_names(names, n_classes))
    return _by_name(found, n_classes, names) or (
        _by_number(found, n_classes, names, where)
        if found.is_whole
        else _by_order(found, n_classes, _all_names(names, n_classes), where)
    )


def _all_names(names: Sequence[str] | None, n_classes: int) -> tuple[str, ...] | None:
    return None if names is None or len(names) != n_classes else tuple(names)


def _one_hot(array: np.ndarray, n_classes: int, where: str) -> np.ndarray:
    if array.shape[1] != n_classes:
        raise EvaluationError(
            f"{where} has {array.shape[1]} labels per row, and there are {n_classes} classes; give one integer label per row, (n,)."
        )
    is_one_hot = array.dtype.kind in "biuf" and bool(
        np.all((array == 0) | (array == 1)) and np.all(array.sum(axis=1, dtype=np.float64) == 1)
    )
    if not is_one_hot:
        raise EvaluationError(
            f"{where} has labels of the shape {array.shape} that are not one-hot; give one integer label per row, (n,). Labels with "
            "several classes per row, and soft labels, are not evaluated."
        )
    return np.argmax(array, axis=1)


def _by_name(found: Cells, n_classes: int, names: Sequence[str] | None) -> Labels | None:
    """The labels as names of columns; None where one is none."""
    if names is None:
        return None
    texts = found.texts
    if len(names) == 1:
        # One column for two classes is the second class, where it has the name of one of two labels.
        if found.is_whole or len(texts) != 2 or names[0] not in texts:
            return None
        names = (next(text for text in texts if text != names[0]), names[0])
    prefix = _prefix(texts, names)
    if prefix is None:
        return None
    known = [name.removeprefix(prefix) for name in names] if all(name.startswith(prefix) for name in names) else names
    place = {name: i for i, name in enumerate(names)}
    return Labels(found.with_codes([place[prefix + text] for text in texts]), tuple(known))


def _prefix(texts: Sequence[str], names: Sequence[str]) -> str | None:
    """What must be put before every label to make it a column's name: "" at best; None if nothing does."""
    known = set(names)
    longest = max(texts, key=len)
    heads = [name.removesuffix(longest) for name in names if name.endswith(longest)]
    fitting = [head for head in heads if all(head + text in known for text in texts)]
    return "" if "" in fitting else fitting[0] if len(fitting) == 1 else None


def _by_number(found: Cells, n_classes: int, names: Sequence[str] | None, where: str) -> Labels:
    known = _all_names(names, n_classes)
    values = found.whole
    if any(isinstance(value, bool) for value in found.values) and n_classes != 2:
        raise EvaluationError(
            f"{where} has bools as labels, and there are {n_classes} classes; give integers from 0 to {n_classes - 1}."
        )
    least, most = min(values), max(values)
    if (least, most) == (1, n_classes):
        facts = {
            "least": least,
            "most": most,
            "classes": n_classes,
            "read_as": "from_one",
            "shift": -1,
            "accuracy": None,
            "shifted_accuracy": None,
        }
        codes = found.with_codes([value - 1 for value in values])
        return Labels(codes, known, (Finding("labels_off_by_one", "", facts),))
    if least < 0 or most >= n_classes:
        bad = most if most >= n_classes else least
        row = int(np.argmax(found.codes == values.index(bad)))
        raise EvaluationError(
            f"{where} has the label {bad} in row {row} (counted from 0), and there are {n_classes} classes; "
            f"{_remedy(values, n_classes)}."
        )
    return Labels(found.with_codes(values), known)


def _remedy(values: Sequence[int], n_classes: int) -> str:
    if set(values) <= {-1, 1} and n_classes == 2:
        return "give 0 for −1: (labels + 1) // 2"
    if min(values) < 0:
        return f"labels count from 0 to {n_classes - 1}, and a row without a label has {IGNORED}"
    if min(values) >= 1 and max(values) == n_classes:
        return f"labels that count from 1 are read only if they run from 1 to {n_classes}; subtract 1"
    return f"labels count from 0 to {n_classes - 1}; check that scores and labels are of the same model"


def _by_order(found: Cells, n_classes: int, names: tuple[str, ...] | None, where: str) -> Labels:
    texts = found.texts
    if names is not None:
        bad = next(text for text in texts if text not in names)
        row = int(np.argmax(found.codes == texts.index(bad)))
        near = get_close_matches(bad, names, n=1, cutoff=0.0)
        raise EvaluationError(
            f"{where} has the label {bad!r} in row {row} (counted from 0), which is no class; the nearest class is {near[0]!r}, and "
            f"there are {quoted(names)}. Name the columns like the labels, or give class_names in the order of the columns."
        )
    if len(texts) != n_classes:
        raise EvaluationError(
            f"{where} has {len(texts)} different texts as labels ({quoted(texts)}), and there are {n_classes} columns without names; "
            "give class_names in the order of the columns, or integer labels."
        )
    order = sorted(range(len(texts)), key=lambda i: texts[i])
    rank = np.empty(len(texts), dtype=np.int64)
    rank[order] = np.arange(len(texts))
    classes = [texts[i] for i in order]
    finding = Finding("labels_sorted", "", {"classes": classes})
    return Labels(found.with_codes(rank), tuple(classes), (finding,))
