"""The data of a study: a classification set that comes with scikit-learn, or a file with a target column."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from lastlayer.files import expanded
from lastlayer.findings import Finding
from lastlayer.study.data.columns import DROPPED, GROUP, TIME, read_columns, used_column
from lastlayer.study.data.forms import ColumnForm
from lastlayer.study.data.names import find_column, shown
from lastlayer.study.data.rare_classes import without_rare
from lastlayer.study.data.roles import Roles, find_roles, group_codes, time_values
from lastlayer.study.data.sources import LABELS, Source, read_source
from lastlayer.study.data.tables import ARRAYS, TABLES, suffix_of
from lastlayer.study.data.target import Classes, read_classes, values_of_texts, without_unused
from lastlayer.study.error import StudyError
from lastlayer.study.schema import COLUMNS, tabulate

#: The classification sets that come with scikit-learn, no download needed.
BUNDLED = {
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
}


@dataclass(frozen=True)
class Dataset:
    """Features as they came and labels from 0 to K − 1.

    Attributes:
        name: of the bundled dataset, or of the file.
        target: the target column of a file.
        features: (n, columns) table of any column types.
        labels: (n,) integers.
        class_names: the K classes as text, in the order of the labels.
        findings: what was left out, and what may not be what it seems.
        columns: what each column of the table is used as; columns `COLUMNS`.
        class_values: the classes as they were given, for the labels that a fitted model returns.
        groups: (n,) a number for each group, where rows of one group must stay together.
        time: (n,) numbers in the order of time, where rows have one.
        rows: (n,) the number, from 0, of each row in the data as they came.
        forms: how each feature's cells are read, so that a saved model reads other tables the same way.
    """

    name: str
    target: str | None
    features: pd.DataFrame
    labels: np.ndarray
    class_names: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    columns: pd.DataFrame = field(default_factory=lambda: tabulate((), COLUMNS))
    class_values: tuple[Any, ...] = ()
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    forms: Mapping[str, ColumnForm] = field(default_factory=dict)

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Rows of each class."""
        return tuple(int(count) for count in np.bincount(self.labels, minlength=len(self.class_names)))


def load_dataset(
    source: Any,
    target: Any = None,
    *,
    labels: Any = None,
    groups: str | None = None,
    time: str | None = None,
    drop: str | Iterable[str] = (),
    min_class: Any = None,
    encoding: str | None = None,
) -> Dataset:
    """The data of a study: a bundled dataset, a file, a table or an array.

    Args:
        source: "digits", "iris", "wine", "breast_cancer"; the path of a file, "-" for a CSV table on standard input; a table
            of pandas, polars or Arrow; or an array (n, d).
        target: the column of classes, or the labels (n,) of a table's or array's rows. In a .npz file, the name of the labels.
        labels: a file with one label per row, or the labels, where no column holds them.
        groups: the column whose equal values keep rows together; each missing value is a group of its own.
        time: the column of numbers or dates in whose order rows came; rows without a time are left out.
        drop: columns that are no features.
        min_class: leave out the classes of fewer than this many rows; ("merge", N) makes one class of them.
        encoding: of a text file; by default recognised.

    Raises:
        StudyError: there is no such dataset, or it cannot be studied; the message says what to do.

    >>> load_dataset("iris").class_counts
    (50, 50, 50)
    """
    roles = {"groups": groups, "time": time, "drop": drop}
    if isinstance(source, (str, os.PathLike)) and str(source) in BUNDLED:
        found = _bundled(str(source), target, labels)
    else:
        if isinstance(source, (str, os.PathLike)) and str(source) != "-":
            _check_path(str(source), expanded(source))
        found = read_source(source, target, labels, encoding)
    return _dataset(found, roles, min_class)


def _bundled(name: str, target: Any, labels: Any) -> Source:
    if target is not None or labels is not None:
        raise StudyError(
            f"{name} comes with its classes, so there is no target column {target!r} to choose; leave --target out."
        )
    bunch = BUNDLED[name](as_frame=True)
    names = tuple(str(label) for label in bunch.target_names)
    labels = bunch.target.to_numpy().astype(np.int64)
    return Source(
        name, bunch.data, None, pd.Series(labels, name=LABELS), classes=Classes(labels, names, values_of_texts(names))
    )


def _check_path(source: str, path: Path) -> None:
    if suffix_of(path)[0] in (*TABLES, *ARRAYS) and not path.is_dir():
        return
    if path.is_dir():
        raise StudyError(f"{path} is a folder; give the .csv or .parquet file in it.")
    if path.exists():
        raise StudyError(
            f"{source} has none of the suffixes {', '.join((*TABLES, *ARRAYS))}; save the table as .csv or .parquet, and "
            "name the column of classes with --target."
        )
    near = difflib.get_close_matches(source.lower(), BUNDLED, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(BUNDLED)}."
    raise StudyError(
        f"There is no dataset {source!r}; {hint} A file of your own needs a suffix such as .csv or .parquet."
    )


def _dataset(found: Source, asked: dict[str, Any], min_class: Any) -> Dataset:
    columns = list(found.frame.columns)
    target = None if found.labels is not None else _target_column(found.target, columns, found.name)
    roles = find_roles(columns, found.name, target=target, **asked)
    classes, is_kept, findings, time = _kept_rows(found, roles, min_class)
    frame = found.frame if is_kept.all() else found.frame.loc[is_kept].reset_index(drop=True)
    rows: dict[str, dict[str, Any]] = {}
    groups = None
    if roles.groups is not None:
        groups, more = group_codes(frame[roles.groups])
        findings += more
        rows[roles.groups] = used_column(frame[roles.groups], GROUP, found.name)
    if roles.time is not None:
        rows[roles.time] = used_column(frame[roles.time], TIME, found.name)
    rows |= {name: used_column(frame[name], DROPPED, found.name) for name in roles.drop}
    left = [name for name in columns if name != target and name not in rows]
    read = read_columns(frame[left], found.name, np.flatnonzero(is_kept))
    rows |= {str(row["column"]): row for row in read.rows}
    return Dataset(
        name=found.name,
        target=target,
        features=read.features,
        labels=classes.labels[is_kept],
        class_names=classes.names,
        findings=(*found.findings, *findings, *read.findings),
        columns=tabulate((rows[name] for name in columns if name != target), COLUMNS),
        class_values=values_of_texts(classes.values) if found.is_text else classes.values,
        groups=groups,
        time=time,
        rows=np.flatnonzero(is_kept),
        forms=read.forms,
    )


def _kept_rows(
    found: Source, roles: Roles, min_class: Any
) -> tuple[Classes, np.ndarray, tuple[Finding, ...], np.ndarray | None]:
    """The classes; which rows have one, and a time where that is asked for; findings; the times of these rows."""
    column = found.labels if roles.target is None else found.frame[roles.target]
    assert column is not None
    name = str(column.name)
    classes = found.classes or read_classes(column, found.name)
    findings = [*_unlabelled(name, classes.is_known)]
    time = None
    if roles.time is not None:
        time, _, more = time_values(found.frame[roles.time], found.name)
        has_time = ~np.isnan(time)
        findings += [*_untimed(roles.time, has_time), *more]
        classes = replace(classes, labels=np.where(has_time, classes.labels, -1))
    classes = without_rare(without_unused(classes), name, min_class)
    is_kept = classes.is_known
    return classes, is_kept, (*findings, *classes.findings), None if time is None else time[is_kept]


def _unlabelled(column: str, is_known: np.ndarray) -> Iterator[Finding]:
    facts = _missing(column, is_known)
    if 2 * facts["rows"] > facts["of"]:
        yield Finding("most_rows_without_target", facts=facts)
    elif facts["rows"]:
        yield Finding("rows_without_target", facts=facts)


def _untimed(column: str, is_known: np.ndarray) -> Iterator[Finding]:
    facts = _missing(column, is_known)
    if 2 * facts["rows"] > facts["of"]:
        yield Finding("most_rows_without_time", facts=facts)
    elif facts["rows"]:
        yield Finding("rows_without_time", facts=facts)


def _missing(column: str, is_known: np.ndarray) -> dict[str, Any]:
    return {"column": column, "rows": int(np.sum(~is_known)), "of": len(is_known)}


def _target_column(target: Any, columns: list[str], name: str) -> str:
    if target is None and name == "array":
        raise StudyError("An array has no column of classes; give the labels as the second argument, target.")
    if target is None:
        raise StudyError(
            f"Which column of {name} holds the classes? Name it with --target; there are {shown(columns)}."
        )
    return find_column(target, columns, name)
