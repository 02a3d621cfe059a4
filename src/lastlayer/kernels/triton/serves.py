"""What these kernels compute."""

from __future__ import annotations

import torch

QUANTITIES = ("probabilities", "log_probabilities", "log_partition", "loss")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def serves(mapping: str, parameter: float | None, quantity: str, dtype: torch.dtype) -> bool:
    """Whether a quantity of a mapping has a kernel for scores of `dtype`. float64 has none: all sums are in float32."""
    is_known = mapping in ("softmax", "sparsemax") or (mapping == "entmax" and parameter in (None, 1.5))
    return is_known and quantity in QUANTITIES and dtype in DTYPES


def check(mapping: str, parameter: float | None, quantity: str, scores: torch.Tensor) -> None:
    """Raise for what has no kernel, or has a memory layout that no kernel reads.

    Raises:
        ValueError: not a mapping, quantity or layout of these kernels.
        TypeError: not a dtype of these kernels.
    """
    if scores.dtype not in DTYPES:
        raise TypeError(f"scores are {scores.dtype}; the Triton kernels take float32, float16 and bfloat16.")
    if not serves(mapping, parameter, quantity, scores.dtype):
        raise ValueError(f"no Triton kernel for {quantity} of {mapping} at parameter {parameter}.")
    check_rows("scores", scores, tuple(scores.shape))
    if scores.shape[1] == 0:
        raise ValueError("scores have no classes; there must be at least one.")


def check_rows(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the tensor has this shape of two axes, and contiguous classes."""
    if tensor.ndim != 2 or tuple(tensor.shape) != shape:
        raise ValueError(
            f"{name} have the shape {tuple(tensor.shape)}; it must be {shape if len(shape) == 2 else '(N, K)'}."
        )
    if tensor.shape[1] > 1 and tensor.stride(1) != 1:
        raise ValueError(f"{name} have the class stride {tensor.stride(1)}; classes must be contiguous.")
