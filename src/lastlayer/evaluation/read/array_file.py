"""Arrays from NumPy's files: .npy, mapped into memory, and .npz."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.sources import NamedArrays, OneArray


def open_arrays(path: Path) -> OneArray | NamedArrays:
    """The array of a .npy file as a memory map, or the arrays of a .npz file. Pickles are never loaded.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no such file, or holds Python objects.
    """
    try:
        # What a file holds is decided by its first bytes, not by its name.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, SyntaxError) as error:
        raise _unreadable(path, error) from error
    if isinstance(loaded, np.ndarray):
        return OneArray(path.name, loaded)
    with loaded:
        names = tuple(loaded.files)
    return NamedArrays(path.name, names, lambda name: _load(path, name))


def _load(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: np.ndarray = archive[name]
            return array
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> EvaluationError:
    text = str(error)
    if "Object arrays" in text or "Python objects" in text:
        return EvaluationError(
            f"{path.name} holds Python objects, which are not loaded since they can run code; save arrays of numbers: "
            "np.save(file, array.astype(float))."
        )
    if "mmap length" in text or "larger than file size" in text or isinstance(error, EOFError):
        return EvaluationError(f"{path.name} ends too early; copy it again, or save it again with np.save.")
    return EvaluationError(
        f"{path.name} is no readable {path.suffix} file of NumPy; save it again with np.save or np.savez."
    )
