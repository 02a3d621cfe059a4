"""Which reader opens a path or an object."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.array_file import open_arrays
from lastlayer.evaluation.read.frames import frame_table, is_frame
from lastlayer.evaluation.read.objects import as_array
from lastlayer.evaluation.read.sources import NamedArrays, OneArray, Source
from lastlayer.files import expanded

ARRAYS = (".npy", ".npz")
TEXTS = (".csv", ".tsv", ".txt", ".tab", ".dat")
PARQUET = (".parquet", ".pq")
SAFETENSORS = (".safetensors",)
TORCH = (".pt", ".pth", ".bin", ".ckpt")
_PACKAGE = "lastlayer.evaluation.read"
_KNOWN = ".npy, .npz, .csv, .tsv, .txt (also packed as .gz), .parquet, .safetensors, .pt or .pth"


def is_path(values: Any) -> bool:
    """Whether this names a file."""
    return isinstance(values, (str, os.PathLike))


def open_source(values: Any, what: str, n_rows: int | None = None) -> Source:
    """The arrays or columns of a file, an array, a table, or a dictionary of arrays.

    Args:
        values: a path or an object.
        what: "scores", "labels" or "groups", for messages.
        n_rows: how many rows there must be, if that is known: it tells a header line from a first row.

    Raises:
        EvaluationError: there is no such file, it cannot be read, or the object is no array.
    """
    if is_path(values):
        return _open_file(expanded(values), what, n_rows)
    if is_frame(values):
        return frame_table(values)
    if isinstance(values, Mapping):
        return NamedArrays("dictionary", tuple(map(str, values)), lambda name: as_array(values[name], f"{name!r}"))
    return OneArray("array", as_array(values, f"The {what}"))


def _open_file(path: Path, what: str, n_rows: int | None) -> Source:
    if path.is_dir():
        raise EvaluationError(f"{path} is a folder; give the file of {what} in it.")
    if not path.exists():
        raise EvaluationError(f"There is no file {path}; check the name, and that you are in the folder you mean.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-1] if suffixes else ""
    is_packed = suffix == ".gz"
    suffix = (suffixes[-2] if len(suffixes) > 1 else "") if is_packed else suffix
    try:
        if path.stat().st_size == 0:
            raise EvaluationError(f"{path.name} is empty; write the {what} again.")
        if suffix in TEXTS:
            return _load("csv_table", what=path.name).open_csv(path, n_rows)
        if is_packed:
            raise EvaluationError(f"{path.name} is packed; unpack it first: only text files are read from .gz.")
        if suffix in ARRAYS:
            return open_arrays(path)
        if suffix in PARQUET:
            return _load("parquet_table", what=path.name).open_parquet(path)
        if suffix in SAFETENSORS:
            return _load("safetensors_file", what=path.name).open_safetensors(path)
        if suffix in TORCH:
            return _load("torch_file", what=path.name).open_torch(path)
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read ({error.strerror or ' '.join(str(error).split())}); check that it is whole and that you may read it."
        ) from error
    raise EvaluationError(f"{path.name} is no file that is read here; give {_KNOWN}.")


def _load(module: str, what: str) -> ModuleType:
    """Import a reader of ours; it may need a package that is not installed."""
    try:
        return importlib.import_module(f"{_PACKAGE}.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lastlayer":
            raise
        extra = "torch" if error.name == "torch" else "study"
        raise EvaluationError(
            f'Reading {what} needs {error.name}; install it with: pip install "lastlayer[{extra}]"'
        ) from error
