"""A head of DTensors as a head of this process's plain tensors, and the call of a function of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.mesh.across import facts_across, run_everywhere
from lastlayer.torch.linear.mesh.layout import Layout, layout_of
from lastlayer.torch.linear.mesh.parts import (
    mapping_of_part,
    part_of_bias,
    part_of_number,
    part_of_parameter,
    part_of_rows,
    part_of_targets,
    part_of_weight,
)
from lastlayer.torch.linear.sharded.wire import GroupOfMesh

Tensor = torch.Tensor

#: Options that have an entry per class.
_PER_CLASS = ("class_weight", "class_prior")


@dataclass(frozen=True)
class HeadOfPart:
    """A call's arguments as plain tensors of this process."""

    layout: Layout
    input: Tensor
    weight: Tensor
    targets: Tensor
    keywords: dict[str, Any]
    #: The shape of all rows.
    shape: torch.Size

    def call(self, function: Callable[..., Any], **more: Any) -> Any:
        """The function of this process's parts, then the exchange with everybody."""
        keywords, mapping = {**self.keywords, **more}, self.keywords["mapping"]
        group = None if self.layout.group is None else GroupOfMesh(self.layout.group, not self.layout.is_shared)
        others = {name: value for name, value in keywords.items() if name not in ("bias", "mapping")}
        return run_everywhere(
            self.layout,
            function.__name__,
            self.weight.device,
            lambda: function(self.input, self.weight, self.targets, group=group, **keywords),
            lambda: facts_across(self.layout, self.input, self.weight, keywords["bias"], self.targets, mapping, others),
        )


def part_of_head(input: Any, weight: Any, targets: Any, group: Any, keywords: dict[str, Any]) -> HeadOfPart:
    """This process's part of a head; `keywords` are the other arguments of the call.

    Raises:
        TypeError: group= next to DTensors, or what `layout_of` refuses.
    """
    if group is not None:
        raise TypeError("weight is a DTensor, whose mesh says who holds which classes; leave out group=.")
    layout = layout_of(input, weight)
    parts = {**keywords, "bias": part_of_bias(keywords["bias"], layout)}
    parts["mapping"] = mapping_of_part(resolve_mapping(keywords["mapping"]), layout)
    # In one order on every process, since a gather may be behind each.
    for name in [name for name in _PER_CLASS if name in parts]:
        parts[name] = part_of_parameter(name, parts[name], layout, layout.per_class)
    if "sample_weight" in parts:
        parts["sample_weight"] = part_of_rows("sample_weight", parts["sample_weight"], layout, layout.rows)
    for name in ("temperature", "scale"):
        if name in parts:
            parts[name] = part_of_number(name, parts[name], layout)
    return HeadOfPart(
        layout,
        part_of_rows("input", input, layout, layout.rows),
        part_of_weight(weight, layout),
        part_of_targets(targets, layout, input.ndim),
        parts,
        input.shape[:-1],
    )
