"""A head's arguments at the boundary: shapes, dtypes and devices that fit, autocast, and rows in one line."""

from __future__ import annotations

from typing import NamedTuple

import torch

Tensor = torch.Tensor


class Head(NamedTuple):
    """Inputs (N, D), weight (K, D), bias (K,) or None, of one dtype, and the shape of the rows they came in."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    shape: torch.Size


def prepare_head(input: Tensor, weight: Tensor, bias: Tensor | None) -> Head:
    """Check a head's tensors, cast them where autocast is on, and lay the rows in one line.

    Raises:
        TypeError: no floating-point tensors, or different dtypes outside autocast.
        ValueError: shapes that do not fit.
    """
    for name, tensor in (("input", input), ("weight", weight), ("bias", bias)):
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
            what = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"{name} is {what}; give a torch tensor of float64, float32, float16 or bfloat16.")
    if weight.ndim != 2 or input.ndim < 1 or input.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"input has shape {tuple(input.shape)} and weight {tuple(weight.shape)}; "
            "give input (..., features) and weight (classes, features)."
        )
    if weight.shape[0] == 0:
        raise ValueError(f"weight has shape {tuple(weight.shape)}: no class; give at least one row.")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {tuple(bias.shape)}; give one number a class, ({weight.shape[0]},).")
    device = input.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        input, weight = input.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.dtype != input.dtype:
            raise TypeError(
                f"input is {input.dtype} but {name} is {tensor.dtype}; use one dtype, or torch.autocast({device!r})."
            )
    shape = input.shape[:-1]
    return Head(input.reshape(-1, input.shape[-1]), weight, bias, shape)
