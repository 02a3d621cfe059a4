"""New tensors for large results and workspaces. On the CPU, freed memory is kept for the next one, as torch keeps CUDA's."""

from __future__ import annotations

import math

import numpy as np
import torch

from lastlayer.backends.memory import LARGE, new_array


def new_tensor(like: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> torch.Tensor:
    """An uninitialised tensor on the device of `like`, and of its dtype unless one is given."""
    dtype = dtype or like.dtype
    size = math.prod(shape) * dtype.itemsize
    if like.device.type != "cpu" or size < LARGE:
        return like.new_empty(shape, dtype=dtype)
    return torch.from_numpy(new_array((size,), np.uint8)).view(dtype).view(shape)
