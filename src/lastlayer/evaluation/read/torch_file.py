"""Tensors from a .pt or .pth file, which is never unpickled: only weights are read."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.objects import as_array
from lastlayer.evaluation.read.sources import NamedArrays, OneArray


def open_torch(path: Path) -> OneArray | NamedArrays:
    """The tensor in a file, or the tensors of a dictionary, mapped into memory.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it holds something else than tensors, or is no file of torch.
    """
    loaded = _load(path)
    if isinstance(loaded, torch.Tensor):
        return OneArray(path.name, as_array(loaded, path.name))
    if isinstance(loaded, Mapping):
        arrays = {str(name): value for name, value in loaded.items() if _is_array(value)}
        if arrays:
            return NamedArrays(
                path.name, tuple(arrays), lambda name: as_array(arrays[name], f"{name!r} of {path.name}")
            )
    raise EvaluationError(
        f"{path.name} holds a {type(loaded).__name__} without tensors that could be scores; "
        "save torch.save({'scores': scores, 'labels': labels}, file)."
    )


def _is_array(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.ndim > 0
    # Lists of labels, such as class names, are plain data.
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, (int, float, str)) for one in value)


def _load(path: Path) -> Any:
    try:
        is_zip = zipfile.is_zipfile(path)
    except zipfile.BadZipFile as error:
        raise EvaluationError(_unreadable(path)) from error
    try:
        # Files from before torch 1.6 are no archives, and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        if is_zip or re.search(r"GLOBAL|Unsupported (?:class|global)", str(error)):
            raise EvaluationError(
                f"{path.name} holds Python objects, which are not loaded since they can run code; save tensors alone: "
                "torch.save({'scores': scores, 'labels': labels}, file)."
            ) from error
        raise EvaluationError(_unreadable(path)) from error
    # A damaged archive raises RuntimeError from C++, and a damaged pickle nearly anything.
    except Exception as error:
        raise EvaluationError(_unreadable(path)) from error


def _unreadable(path: Path) -> str:
    return f"{path.name} is no readable file of torch; save it again with torch.save."
