"""Features and labels from NumPy's files: .npy with a file of labels, .npz with both."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lastlayer.study.data.names import shown
from lastlayer.study.error import StudyError

#: Names of arrays in a .npz file, the usual ones first.
FEATURES = ("X", "x", "features", "embeddings", "embedding", "data", "X_train", "x_train", "arr_0")
LABELS = ("y", "Y", "labels", "label", "target", "targets", "classes", "y_train", "arr_1")


@dataclass(frozen=True)
class Arrays:
    """Features (n, d), and labels (n,) where the file has them."""

    features: np.ndarray
    labels: np.ndarray | None


def read_arrays(path: Path, key: str | None) -> Arrays:
    """The arrays in a .npy or .npz file; `key` names the labels in the latter.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no such file, or has no array under a known name.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        if key is not None:
            raise StudyError(
                f"{path.name} is one array without names, so there is no {key!r} in it; give a file of labels with --labels."
            )
        return Arrays(loaded, None)
    held = ", ".join(f"{name} {array.shape}" for name, array in loaded.items()) or "nothing"
    if key is not None and key not in loaded:
        raise StudyError(f"{path.name} has no array {key!r}; there are {held}.")
    name = next((name for name in FEATURES if name in loaded and name != key), None)
    if name is None:
        raise StudyError(
            f"{path.name} holds {held}; a study looks for the features under {shown(FEATURES[:4])}. Save them again under one of "
            "these names: np.savez(file, X=…, y=…)."
        )
    found = key or next((label for label in LABELS if label in loaded and label != name), None)
    return Arrays(loaded[name], None if found is None else loaded[found])


def read_labels(path: Path) -> np.ndarray:
    """The labels in a .npy file, or in a .npz file of one array or one under a known name.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no such file, or it is not clear which array holds the labels.
    """
    loaded = _load(path)
    if isinstance(loaded, np.ndarray):
        return loaded
    found = list(loaded) if len(loaded) == 1 else [name for name in LABELS if name in loaded]
    if not found:
        raise StudyError(f"{path.name} holds {', '.join(loaded) or 'nothing'}; save the labels under the name y.")
    return loaded[found[0]]


def _load(path: Path) -> Any:
    try:
        loaded = np.load(path, allow_pickle=False, mmap_mode=None)
        return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        if "pickle" in str(error).lower() and "Object" in str(error):
            raise StudyError(
                f"{path.name} holds Python objects, which a study does not load since they can run code; "
                "save arrays of numbers or texts: np.save(file, array.astype(float))."
            ) from error
        raise StudyError(
            f"{path.name} is no readable {path.suffix} file; save it again with np.save or np.savez."
        ) from error


def label_array(labels: Any, rows: int, name: str) -> np.ndarray:
    """Labels as an array (n,) of as many as there are rows.

    Raises:
        StudyError: there are more or fewer, or each row has several.
    """
    if isinstance(labels, np.ma.MaskedArray) and np.ma.is_masked(labels):
        raise StudyError(f"The labels of {name} are masked in some rows; leave these rows out, or give them a label.")
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise StudyError(
            f"The labels of {name} have the shape {array.shape}; a study needs one label per row, (n,). "
            "Of one-hot rows or scores take labels.argmax(axis=1)."
        )
    if len(array) != rows:
        raise StudyError(f"There are {len(array)} labels for the {rows} rows of {name}; give one label per row.")
    return array
