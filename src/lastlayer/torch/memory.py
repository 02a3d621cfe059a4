"""New tensors for large results and workspaces; on the CPU their memory is kept when they are gone, as torch keeps CUDA's."""

from __future__ import annotations

import math

import numpy as np
import torch

from lastlayer.dispatch import LARGE, new_array


def new_tensor(like: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of any content on the device of `like`, of its dtype unless told otherwise."""
    dtype = dtype or like.dtype
    size = math.prod(shape) * dtype.itemsize
    if like.device.type != "cpu" or size < LARGE:
        return like.new_empty(shape, dtype=dtype)
    return torch.from_numpy(new_array((size,), np.uint8)).view(dtype).view(shape)
