"""New arrays for results. Freed memory of large ones is kept for the next: touching new pages takes longer than the kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lastlayer.backends.extension import EXTENSION

#: Bytes. Smaller arrays come from NumPy, whose allocator reuses their memory.
LARGE = 2 * 2**20


if EXTENSION is not None:
    # A LASTLAYER_KEPT_MEMORY that is not a number of bytes is an error here, not when the first array is freed.
    EXTENSION.kept_limit()


def new_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array like np.empty's. At most LASTLAYER_KEPT_MEMORY bytes are kept, by default an eighth of the machine's memory.

    If the address space is limited (`ulimit -v`), the default is at most an eighth of the limit. The operating system may take back
    what is kept whenever it needs memory, and it is given up if there is not enough for a new array.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LARGE or EXTENSION is None:
        return np.empty(shape, kind)
    array: np.ndarray = EXTENSION.large_buffer(size).view(kind).reshape(shape)
    return array
