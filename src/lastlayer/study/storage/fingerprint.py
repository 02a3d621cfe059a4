"""What a finished fit depends on, as a short text: where it changes, the fit is made again."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import lastlayer
from lastlayer.functions import loss_and_grad, probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.settings import StudySettings

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skrub", "pandas")
#: The files and folders of lastlayer that a fit goes through.
_ROOMS = (
    "mappings",
    "activation.py",
    "kernels",
    "losses",
    "backends",
    "dispatch.py",
    "functions",
    "sklearn",
    "study/fit",
    "study/fit_split.py",
)


def study_fingerprint(data: Dataset, settings: StudySettings) -> str:
    """A fingerprint of the data, the settings that a fit depends on, and the code.

    Mappings, repeats, margin and jobs do not enter it: a study with one mapping or repeat more keeps the fits it has.
    """
    facts = [settings.folds, settings.seed, settings.C, settings.grid, settings.splines, _code_fingerprint()]
    return hashlib.sha256(json.dumps([content_fingerprint(data), facts]).encode()).hexdigest()[:16]


def content_fingerprint(data: Dataset) -> str:
    """A fingerprint of the features, the classes, the groups and the times."""
    digest = hashlib.sha256()
    frame = data.features
    columns = [[str(name), str(frame[name].dtype)] for name in frame.columns]
    digest.update(json.dumps([columns, data.class_names]).encode())
    for part in (data.labels, data.groups, data.time):
        digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    for name in frame.columns:
        digest.update(_column_bytes(frame[name]))
    return digest.hexdigest()


def mapping_fingerprint(mapping: ProbabilityMapping) -> str:
    """A fingerprint of a mapping's name and behaviour: its values, losses and gradients on fixed scores, and how a linear model fits it.

    A user's functions have no version, so they are distinguished by what they compute.
    """
    digest = hashlib.sha256(json.dumps([mapping.label, mapping.family]).encode())
    generator = np.random.default_rng(0)
    for classes in (2, 3, 7):
        scores = generator.normal(size=(16, classes)) * generator.choice([0.1, 1.0, 10.0], size=(16, 1))
        for rows in (scores, np.abs(scores)):
            labels = np.arange(len(rows)) % classes
            losses, gradient = loss_and_grad(rows, labels, mapping=mapping, on_domain="nan", reduction="none")
            parts = (probabilities(rows, mapping=mapping, on_domain="nan"), losses, gradient)
            for part in parts:
                # Rounded, since only what is far above rounding errors makes another mapping; + 0.0 makes −0 a 0.
                digest.update((np.round(np.asarray(part, dtype=np.float64), 9) + 0.0).tobytes())
        start = mapping.linear.start_intercept(np.arange(1.0, classes + 1) / np.arange(1.0, classes + 1).sum())
        digest.update(np.round(np.asarray(start, dtype=np.float64), 9).tobytes())
    digest.update(f"{mapping.linear.intercept_constraint} {mapping.linear.method}".encode())
    return digest.hexdigest()[:8]


def _column_bytes(column: pd.Series) -> bytes:
    if column.dtype == np.float64:
        return np.ascontiguousarray(column.to_numpy()).tobytes()
    # Cells are compared by type and text: hashing refuses what objects of mixed kinds may hold.
    cells = column.map(lambda value: f"{type(value).__name__} {value}", na_action=None)
    return np.ascontiguousarray(pd.util.hash_pandas_object(cells, index=False).to_numpy()).tobytes()


def code_rooms() -> list[Path]:
    """The files and folders of lastlayer that a fit goes through."""
    package = Path(lastlayer.__file__).parent
    return [package / room for room in _ROOMS]


@cache
def _code_fingerprint() -> str:
    """A fingerprint of the libraries' versions and of our files: a change to either makes every fit again."""
    digest = hashlib.sha256(" ".join(version(library) for library in _LIBRARIES).encode())
    package = Path(lastlayer.__file__).parent
    files = [file for room in code_rooms() for file in (sorted(room.rglob("*")) if room.is_dir() else [room])]
    for file in files:
        if file.suffix in (".py", ".so", ".pyd") and file.is_file():
            digest.update(file.relative_to(package).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
