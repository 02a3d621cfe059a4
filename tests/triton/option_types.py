"""Loss options for the tests that compile: none, and every one; and the types that a launch gives them."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.kernels.triton.options import KernelOptions, LossOptions
from lastlayer.losses.options import TRIALS


def kernel_options(has_all: bool, rows: int = 3, classes: int = 64) -> KernelOptions:
    """The kernels' record without options, or with all of them."""
    weights = {"weight": torch.ones(classes), "sample_weight": torch.ones(rows)}
    return LossOptions(**(weights | TRIALS if has_all else {})).for_kernel(rows, classes)


def types_of(value: Any) -> Any:
    """What Triton's launcher makes of a value: None is known at compile time, and a record is bound field by field."""
    if isinstance(value, tuple):
        types = [types_of(part) for part in value]
        return type(value)(*types) if hasattr(value, "_fields") else tuple(types)
    if isinstance(value, torch.Tensor):
        return "*fp32"
    return "constexpr" if value is None else {int: "i32", float: "fp32"}[type(value)]
