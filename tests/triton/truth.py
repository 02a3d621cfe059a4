"""Where the kernels run, what they are compared with, and the errors of a comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace

import lastlayer as ll

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MAPPINGS = {"softmax": None, "sparsemax": None, "entmax": 1.5}
BITS = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}
SMALLEST = {torch.float32: 2.0**-149, torch.float16: 2.0**-24, torch.bfloat16: 2.0**-133}


def nan_like(x: torch.Tensor, *shape: int) -> torch.Tensor:
    """A buffer of NaN, so that what a kernel leaves out shows."""
    return torch.full(shape or x.shape, float("nan"), dtype=x.dtype, device=x.device)


def numbers(x: torch.Tensor) -> np.ndarray:
    """Its values in float64."""
    return x.detach().cpu().double().numpy()


def quantity(x: torch.Tensor, name: str, mapping: str) -> np.ndarray:
    """The truth of a quantity: the library's own, in float64."""
    scores = numbers(x)
    return getattr(ll.MAPPINGS[mapping].at(scores, array_namespace(scores)), name)()


def loss(x: torch.Tensor, targets: torch.Tensor, mapping: str, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The truth of losses and gradients, in float64, at the options' values in float32."""
    given = {}
    for name, value in options.items():
        if isinstance(value, torch.Tensor):
            value = numbers(value)
        elif isinstance(value, float):
            value = float(np.float32(value))
        given[name] = value
    goal = targets.cpu().numpy()
    if goal.dtype.kind == "f":
        goal = goal.astype(np.float64)
        goal = goal / goal.sum(axis=1, keepdims=True)
    return ll.loss_and_grad(numbers(x), goal, mapping=mapping, reduction="none", **given)


def ulp(size: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """The spacing of a dtype at these sizes."""
    exponent = np.floor(np.log2(np.maximum(np.abs(size), SMALLEST[dtype])))
    return np.maximum(np.exp2(exponent - BITS[dtype] + 1), SMALLEST[dtype])


def error(got: torch.Tensor, exact: Any, dtype: torch.dtype | None = None, scale: Any = None) -> float:
    """The largest |got − exact| in ULP of `scale`, by default of the exact values; ∞ where only one of them is finite."""
    value, truth = numbers(got), np.asarray(exact, np.float64)
    assert value.shape == truth.shape, (value.shape, truth.shape)
    same = (value == truth) | (np.isnan(value) & np.isnan(truth))
    size = truth if scale is None else np.broadcast_to(scale, truth.shape)
    with np.errstate(all="ignore"):
        errors = np.abs(value - truth) / ulp(size, dtype or got.dtype)
    errors = np.where(same, 0.0, np.where(np.isfinite(errors), errors, np.inf))
    return float(errors.max(initial=0.0))
