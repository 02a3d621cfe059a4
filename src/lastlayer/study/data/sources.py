"""What a study is asked for: the path of a file, a table in memory, or an array; each becomes a frame."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lastlayer.files import expanded
from lastlayer.findings import Finding
from lastlayer.study.data.array_file import label_array, read_arrays, read_labels
from lastlayer.study.data.arrow_files import arrow_cells, arrow_frame
from lastlayer.study.data.list_columns import expand_objects
from lastlayer.study.data.names import check_names, is_name
from lastlayer.study.data.tables import ARRAYS, CSV, TABLES, read_stdin, read_table, suffix_of
from lastlayer.study.data.target import Classes
from lastlayer.study.error import StudyError

#: The name of the labels where they are no column.
LABELS = "labels"


@dataclass(frozen=True)
class Source:
    """A frame, and the labels of its rows where they are no column of it.

    Attributes:
        name: as messages and the report call the data.
        frame: (n, columns), names as text.
        target: the column of classes, not yet looked for; None with labels.
        labels: (n,) the classes of the rows, or None.
        findings: from reading the file.
        is_text: whether the target's cells are text as a file has it.
        classes: the labels already read, where their order is known.
    """

    name: str
    frame: pd.DataFrame
    target: Any = None
    labels: pd.Series | None = None
    findings: tuple[Finding, ...] = ()
    is_text: bool = False
    classes: Classes | None = None


def read_source(source: Any, target: Any, labels: Any, encoding: str | None) -> Source:
    """The table and the target that a study was asked for.

    Raises:
        StudyError: there is no such file, it cannot be read, or the object is no table or array.
    """
    if isinstance(source, (str, os.PathLike)):
        found = _from_path(str(source), target, labels, encoding)
    else:
        found = _from_object(source, target, labels)
    if labels is None or found.labels is not None:
        return found
    return _with_labels(found, labels, encoding)


def _from_path(source: str, target: Any, labels: Any, encoding: str | None) -> Source:
    name = None if target is None or not is_name(target) else str(target)
    if source == "-":
        table = read_stdin(name, encoding)
        return _with_target(Source("stdin", table.frame, name, None, table.findings, table.is_text), target)
    path = expanded(source)
    if path.suffix.lower() in ARRAYS:
        return _from_array_file(path, target, labels)
    table = read_table(path, name, encoding)
    return _with_target(Source(path.name, table.frame, name, None, table.findings, table.is_text), target)


def _from_array_file(path: Path, target: Any, labels: Any) -> Source:
    if path.is_dir() or not path.exists():
        raise StudyError(f"There is no file {path}; check the name, and that you are in the folder you mean.")
    is_key = target is not None and is_name(target)
    key = str(target) if is_key else None
    if key is None and isinstance(labels, str) and not expanded(labels).exists() and expanded(labels).suffix == "":
        # The name of an array in the file.
        key = labels
    try:
        arrays = read_arrays(path, key)
    except OSError as error:
        raise StudyError(f"{path} cannot be read ({error.strerror or error}); check that you may read it.") from error
    frame = array_frame(arrays.features, path.name)
    if target is not None and not is_key:
        return _labelled(Source(path.name, frame), target)
    if labels is not None and key is None:
        return Source(path.name, frame)
    if arrays.labels is None:
        where = "y=… next to X=… in the file, or " if path.suffix.lower() == ".npz" else ""
        raise StudyError(f"{path.name} has no labels; give {where}a file of labels with --labels FILE.")
    return _labelled(Source(path.name, frame), arrays.labels)


def _from_object(source: Any, target: Any, labels: Any) -> Source:
    frame, name = _object_frame(source, None if target is None or not is_name(target) else str(target))
    found = Source(name, frame, None if target is None or not is_name(target) else target)
    return _with_target(found, target)


def _object_frame(source: Any, target: str | None) -> tuple[pd.DataFrame, str]:
    if isinstance(source, pd.DataFrame):
        return _pandas_frame(source, target), "table"
    if isinstance(source, np.ndarray) and source.dtype.names:
        return _pandas_frame(pd.DataFrame(source), target), "table"
    if hasattr(source, "toarray"):
        raise StudyError(
            f"The data are a sparse {type(source).__name__} {getattr(source, 'shape', '')}; give an array: source.toarray(), or fewer columns by "
            "sklearn.decomposition.TruncatedSVD."
        )
    if hasattr(source, "collect") and hasattr(source, "lazy"):
        raise StudyError("The data are a lazy table; give its rows: source.collect().")
    if hasattr(source, "__arrow_c_stream__") or isinstance(source, pa.RecordBatch):
        table = pa.Table.from_batches([source]) if isinstance(source, pa.RecordBatch) else pa.table(source)
        return arrow_frame(table, target, "table"), "table"
    return array_frame(source, "array"), "array"


def _pandas_frame(source: pd.DataFrame, target: str | None) -> pd.DataFrame:
    """The columns under names of text, the rows numbered from 0; levels of the index are no columns, unless the target is one."""
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in source.columns]
    check_names(names, "table")
    frame = source.copy(deep=False)
    frame.columns = pd.Index(names)
    levels = ["" if level is None else str(level) for level in source.index.names]
    if target is not None and target not in names and target in levels:
        frame[target] = source.index.get_level_values(levels.index(target))
    return expand_objects(frame.reset_index(drop=True), "table")


def raw_frame(source: Any) -> tuple[pd.DataFrame, bool]:
    """The frame of a table or an array, and whether its columns have names; a table's index stays.

    Raises:
        StudyError: it is neither.
    """
    if isinstance(source, pd.DataFrame):
        frame, _ = _object_frame(source, None)
        return frame.set_axis(source.index), True
    frame, name = _object_frame(source, None)
    return frame, name == "table"


def array_frame(source: Any, name: str) -> pd.DataFrame:
    """An array (n, d) as a frame with the columns x0, x1, ….

    Raises:
        StudyError: it is no array of two dimensions.
    """
    if isinstance(source, np.ma.MaskedArray):
        # What is masked is missing; NumPy would give what lies under the mask.
        source = np.ma.filled(source.astype(np.float64), np.nan)
    try:
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StudyError(
            f"The data cannot be made a NumPy array ({error}); give an array (n, d) or a DataFrame."
        ) from error
    if array.ndim != 2:
        raise StudyError(f"{name} has the shape {array.shape}, not (rows, columns); {_reshape(array)}.")
    if array.dtype.kind == "c":
        raise StudyError(f"{name} holds complex numbers; give real and imaginary part a column each.")
    # float64 at once, without a copy where it is that already.
    values = array.astype(np.float64, copy=False) if array.dtype.kind in "fiu" else array
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(array.shape[1])], copy=False)
    return frame.infer_objects() if array.dtype == object else frame


def _reshape(array: np.ndarray) -> str:
    if array.ndim == 0:
        return "give a path, a DataFrame, or an array of numbers"
    return (
        "give one feature as X.reshape(-1, 1)"
        if array.ndim == 1
        else "give each row’s numbers in one line: X.reshape(len(X), -1)"
    )


def _with_target(found: Source, target: Any) -> Source:
    """Labels that were given as an array in the place of a column's name."""
    return found if target is None or is_name(target) else _labelled(found, target)


def _labelled(found: Source, labels: Any) -> Source:
    if isinstance(labels, pd.Series):
        column = labels.reset_index(drop=True).rename(LABELS)
        label_array(column, len(found.frame), found.name)
    elif hasattr(labels, "__arrow_c_stream__") or isinstance(labels, (pa.Array, pa.ChunkedArray)):
        column = pd.Series(arrow_cells(labels), name=LABELS)
        label_array(column, len(found.frame), found.name)
    else:
        column = pd.Series(label_array(labels, len(found.frame), found.name), name=LABELS)
    return Source(found.name, found.frame, None, column, found.findings)


def _with_labels(found: Source, labels: Any, encoding: str | None) -> Source:
    """Labels from a file of one column, or from an array."""
    if found.target is not None:
        raise StudyError(
            f"The classes are named twice, by the column {found.target!r} and by labels; leave one of them out."
        )
    if not isinstance(labels, (str, os.PathLike)):
        return _labelled(found, labels)
    path = expanded(str(labels))
    suffix = suffix_of(path)[0]
    if suffix in ARRAYS and path.is_file():
        return _labelled(found, read_labels(path))
    if suffix not in TABLES:
        raise StudyError(
            f"{labels} is no file of labels that a study reads; give .npy, .npz, .csv, .txt or .parquet with one label per row."
        )
    table = read_table(path, None, encoding)
    if table.frame.shape[1] != 1:
        raise StudyError(
            f"{path.name} has {table.frame.shape[1]} columns; a file of labels has one, with a label per row."
        )
    name = str(table.frame.columns[0])
    table = read_table(path, name, encoding)
    column = table.frame[name]
    if suffix in CSV and len(column) == len(found.frame) - 1:
        # Without a header line, the first label was taken for one.
        column = pd.concat([pd.Series([name], dtype=object), column.astype(object)], ignore_index=True)
    found = _labelled(found, column)
    return Source(found.name, found.frame, None, found.labels, found.findings, is_text=table.is_text)
