"""Host functions: a quantity of every row of raw tensors."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.kernels.triton.launch import launch_for
from lastlayer.kernels.triton.softmax import softmax_forward


def evaluate(
    scores: torch.Tensor,
    quantity: str,
    mapping: str,
    parameter: float | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    rows, classes = scores.shape
    shape = (rows,) if quantity == "log_partition" else (rows, classes)
    result = torch.empty(shape, dtype=scores.dtype, device=scores.device) if out is None else out
    if rows:
        launch = launch_for(rows, classes)
        softmax_forward[launch.grid](scores, result, rows, classes, scores.stride(0), result.stride(0), QUANTITY=quantity, **launch.sizes)
    return result
