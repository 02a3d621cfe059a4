"""Arrays from NumPy's files: .npy, mapped into memory, and .npz."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.sources import NamedArrays, OneArray

#: How a .npy file begins.
_MAGIC = b"\x93NUMPY"
#: What NumPy and its archives raise for damaged files: the header of an array is a line of Python.
_DAMAGED = (
    ValueError,
    TypeError,
    OverflowError,
    KeyError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)


def open_arrays(path: Path) -> OneArray | NamedArrays:
    """The array of a .npy file as a memory map, or the arrays of a .npz file. Pickles are never loaded.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no such file, or holds Python objects.
    """
    with path.open("rb") as file:
        # What a file holds is decided by its first bytes, not by its name.
        is_one = file.read(len(_MAGIC)) == _MAGIC
    try:
        if is_one:
            return OneArray(path.name, np.load(path, mmap_mode="r", allow_pickle=False))
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    with _archive(path) as archive:
        names = tuple(archive.files)

    def load(name: str) -> np.ndarray:
        with _archive(path) as archive:
            array: np.ndarray = archive[name]
            return array

    return NamedArrays(path.name, names, load)


@contextmanager
def _archive(path: Path) -> Iterator[Any]:
    """The arrays of a .npz file."""
    try:
        # NumPy leaves a file open that it opened and could not read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            yield archive
    # A wrong offset in an archive is an OSError.
    except (*_DAMAGED, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> EvaluationError:
    text = str(error)
    if "Object arrays" in text or "Python objects" in text:
        return EvaluationError(
            f"{path.name} holds Python objects, which are not loaded since they can run code; save arrays of numbers: "
            "np.save(file, array.astype(float)), or of names: array.astype(str)."
        )
    if "mmap length" in text or "larger than file size" in text or isinstance(error, EOFError):
        return EvaluationError(f"{path.name} ends too early; copy it again, or save it again with np.save.")
    return EvaluationError(
        f"{path.name} is no readable {path.suffix} file of NumPy; save it again with np.save or np.savez."
    )
