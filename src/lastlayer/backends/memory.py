"""New arrays for results. The memory of large ones is kept when they are gone, for the next: new pages cost more than kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lastlayer.backends.extension import EXTENSION

#: Smaller arrays are NumPy's, whose allocator reuses their memory.
LARGE = 2 * 2**20


if EXTENSION is not None:
    # A LASTLAYER_KEPT_MEMORY that is no number of bytes is an error here, not when the first array is freed.
    EXTENSION.kept_limit()


def new_array(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array like np.empty's. At most LASTLAYER_KEPT_MEMORY bytes are kept, by default an eighth of the machine's memory.

    Where the address space is limited (`ulimit -v`), by default at most an eighth of that. What is kept the operating system may
    take back whenever it needs memory, and it is given up where there is not enough for a new array.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size < LARGE or EXTENSION is None:
        return np.empty(shape, kind)
    array: np.ndarray = EXTENSION.large_buffer(size).view(kind).reshape(shape)
    return array
