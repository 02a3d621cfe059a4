"""The data of a study: a classification set that comes with scikit-learn, or a file with a target column."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from lastlayer.files import expanded
from lastlayer.findings import Finding
from lastlayer.study.data.columns import check_features
from lastlayer.study.data.placeholders import numbers_read_as_text
from lastlayer.study.data.tables import SUFFIXES, read_table
from lastlayer.study.data.target import Classes, read_classes
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

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Rows of each class."""
        return tuple(int(count) for count in np.bincount(self.labels, minlength=len(self.class_names)))


def load_dataset(dataset: str | Path, target: str | None = None, **more: Any) -> Dataset:
    """The dataset of that name, or the table in that CSV or Parquet file.

    Args:
        dataset: "digits", "iris", "wine", "breast_cancer", or the path of a file.
        target: the column of the file with the classes.

    Raises:
        StudyError: there is no such dataset, or it cannot be studied; the message says what to do.

    >>> load_dataset("iris").class_counts
    (50, 50, 50)
    """
    if str(dataset) in BUNDLED:
        return _load_bundled(str(dataset), target)
    path = expanded(dataset)
    if path.suffix.lower() not in SUFFIXES:
        raise StudyError(_unknown(str(dataset), path))
    table = read_table(path, target)
    return _split(path.name, table.frame, _target_column(target, table.frame, path), table.findings)


def _load_bundled(name: str, target: str | None) -> Dataset:
    if target is not None:
        raise StudyError(
            f"{name} comes with its classes, so there is no target column {target!r} to choose; leave --target out."
        )
    bunch = BUNDLED[name](as_frame=True)
    labels = bunch.target.to_numpy().astype(np.int64)
    names = tuple(str(label) for label in bunch.target_names)
    return Dataset(name, None, bunch.data, labels, names, rows=np.arange(len(labels)))


def _unknown(dataset: str, path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; give the .csv or .parquet file in it."
    if path.exists():
        return f"{dataset} is neither .csv nor .parquet; save the table as one of these and name the column of classes with --target."
    near = difflib.get_close_matches(dataset.lower(), BUNDLED, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(BUNDLED)}."
    return f"There is no dataset {dataset!r}; {hint} A file of your own needs the suffix .csv or .parquet."


def _target_column(target: str | None, frame: pd.DataFrame, path: Path) -> str:
    columns = list(frame.columns)
    shown = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")
    if target is None:
        raise StudyError(f"Which column of {path.name} holds the classes? Name it with --target; there are {shown}.")
    if target not in columns:
        near = difflib.get_close_matches(target, columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {shown}."
        raise StudyError(f"{path.name} has no column {target!r}; {hint}")
    return target


def _split(name: str, frame: pd.DataFrame, target: str, findings: tuple[Finding, ...]) -> Dataset:
    classes: Classes = read_classes(frame[target], name)
    features = check_features(frame.drop(columns=target).loc[classes.is_known].reset_index(drop=True), name)
    return Dataset(
        name=name,
        target=target,
        features=features,
        labels=classes.labels,
        class_names=classes.names,
        findings=findings + classes.findings + numbers_read_as_text(features, name),
        rows=np.flatnonzero(classes.is_known),
    )
