"""`linear_statistics` of DTensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from lastlayer.torch.linear.mesh.head import part_of_head
from lastlayer.torch.linear.mesh.parts import shared


@torch.compiler.disable  # type: ignore[untyped-decorator]
def statistics_on_mesh(
    function: Callable[..., Any], input: Any, weight: Any, labels: Any, group: Any, keywords: dict[str, Any]
) -> Any:
    """The statistics of all rows; DTensors that lie as the rows do, if the input is one."""
    part = part_of_head(function.__name__, input, weight, labels, group, keywords)
    found = part.call(function)
    return type(found)(*(shared(value, part.layout, part.layout.rows, part.shape) for value in found))
