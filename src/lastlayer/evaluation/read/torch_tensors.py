"""Tensors as NumPy arrays."""

from __future__ import annotations

import numpy as np
import torch


def tensor_array(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of a tensor, on the CPU and without its graph; bfloat16 and float8 become float32, which is exact."""
    dense = tensor.detach()
    dense = dense.to_dense() if dense.layout is not torch.strided else dense
    dense = dense.cpu().resolve_conj().resolve_neg()
    has_numpy_type = not dense.is_floating_point() or dense.dtype in (torch.float16, torch.float32, torch.float64)
    array: np.ndarray = (dense if has_numpy_type else dense.float()).numpy()
    return array
