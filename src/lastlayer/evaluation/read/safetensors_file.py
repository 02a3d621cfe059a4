"""Tensors from a .safetensors file, mapped into memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.sources import NamedArrays

#: The format's names of types that NumPy has; it is little-endian.
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
#: Numbers of bfloat16 that are widened at a time.
_BLOCK = 1 << 20


def open_safetensors(path: Path) -> NamedArrays:
    """The tensors of a file, each mapped into memory when it is asked for.

    Raises:
        OSError: the file cannot be read.
        EvaluationError: it is no such file.
    """
    try:
        # The library checks that the header is sound and that every tensor is inside the file.
        with safe_open(path, framework="numpy"):
            pass
    except SafetensorError as error:
        raise EvaluationError(
            f"{path.name} is no readable .safetensors file ({error}); save it again with safetensors."
        ) from error
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return NamedArrays(path.name, tuple(header), lambda name: _tensor(path, 8 + size, name, header[name]))


def _tensor(path: Path, start: int, name: str, entry: dict[str, Any]) -> np.ndarray:
    """One tensor. The library's NumPy side would copy it, and does not read bfloat16."""
    shape, kind = tuple(entry["shape"]), entry["dtype"]
    if kind != "BF16" and kind not in _TYPES:
        raise EvaluationError(f"{name!r} of {path.name} has the type {kind}; save it as float32.")
    dtype = np.dtype("<u2" if kind == "BF16" else _TYPES[kind])
    if 0 in shape:
        return np.empty(shape, np.float32 if kind == "BF16" else dtype)
    mapped = np.memmap(path, dtype=dtype, mode="r", offset=start + entry["data_offsets"][0], shape=shape)
    return _widened(mapped) if kind == "BF16" else mapped


def _widened(halves: np.ndarray) -> np.ndarray:
    """float32 of the upper 16 bits of it, which is bfloat16."""
    flat = halves.reshape(-1)
    bits = np.empty(flat.shape, np.uint32)
    for first in range(0, flat.size, _BLOCK):
        np.left_shift(flat[first : first + _BLOCK], np.uint32(16), out=bits[first : first + _BLOCK], dtype=np.uint32)
    return bits.view(np.float32).reshape(halves.shape)
