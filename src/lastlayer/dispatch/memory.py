"""New arrays for results. The memory of large ones is kept when they are gone, for the next: new pages cost more than kernels."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from lastlayer.dispatch.extension import EXTENSION

#: Smaller arrays are NumPy's, whose allocator reuses their memory.
LARGE = 2 * 2**20

_OF_THREAD = threading.local()


def new_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array like np.empty's. At most an eighth of the machine's memory is kept, or LASTLAYER_KEPT_MEMORY bytes.

    What is kept the operating system may take back whenever it needs memory.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LARGE or EXTENSION is None:
        return np.empty(shape, kind)
    array: np.ndarray = EXTENSION.large_buffer(size).view(kind).reshape(shape)
    return array


def scratch(count: int) -> np.ndarray:
    """So many float64 that nobody keeps beyond the call: up to LARGE bytes the same memory for every call of a thread.

    NumPy's allocator gives some hundred kilobytes back at once, and new pages of them cost a third of a loss of few classes.
    """
    if 8 * count > LARGE:
        return new_array((count,), np.float64)
    kept: np.ndarray | None = getattr(_OF_THREAD, "doubles", None)
    if kept is None or len(kept) < count:
        kept = _OF_THREAD.doubles = np.empty(max(count, 1024))
    return kept[:count]
