"""`linear_loss` of DTensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.distributed.tensor import Replicate

from lastlayer.backends.torch.reduction import inverse
from lastlayer.torch.linear.mesh.across import sum_of_parts
from lastlayer.torch.linear.mesh.head import part_of_head
from lastlayer.torch.linear.mesh.parts import shared


@torch.compiler.disable  # type: ignore[untyped-decorator]
def loss_on_mesh(
    function: Callable[..., Any], input: Any, weight: Any, targets: Any, group: Any, keywords: dict[str, Any]
) -> Any:
    """The loss of all rows and classes; a DTensor if the input is one."""
    part = part_of_head(function.__name__, input, weight, targets, group, keywords)
    layout, reduction = part.layout, keywords.get("reduction", "mean")
    whole = [Replicate()] * layout.mesh.ndim
    if not layout.row_dimensions or reduction not in ("mean", "sum", "parts"):
        found = part.call(function)
        if isinstance(found, tuple):
            return tuple(shared(value, layout, whole, value.shape) for value in found)
        is_by_row = reduction == "none"
        return shared(found, layout, layout.rows if is_by_row else whole, part.shape if is_by_row else found.shape)
    total, denominator = (sum_of_parts(x, layout, function.__name__) for x in part.call(function, reduction="parts"))
    if reduction == "parts":
        return tuple(shared(value, layout, whole, value.shape) for value in (total, denominator.detach()))
    value = total * inverse(denominator) if reduction == "mean" else total
    return shared(value, layout, whole, value.shape)
