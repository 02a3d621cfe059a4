"""A head of DTensors as a head of this process's plain tensors, and the call of a function of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.distillation import DistillationTargets
from lastlayer.torch.linear.mesh.across import PER_CLASS, check_everywhere, facts_across, run_everywhere
from lastlayer.torch.linear.mesh.detection import on_mesh
from lastlayer.torch.linear.mesh.layout import Layout, layout_of
from lastlayer.torch.linear.mesh.parts import (
    Placed,
    place_bias,
    place_labels,
    place_number,
    place_parameter,
    place_rows,
    place_teacher,
    refuse_parts,
)
from lastlayer.torch.linear.sharded.wire import GroupOfMesh

Tensor = torch.Tensor


@dataclass(frozen=True)
class HeadOfPart:
    """A call's arguments as plain tensors of this process."""

    layout: Layout
    input: Tensor
    weight: Tensor
    targets: Any
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


def part_of_head(call: str, input: Any, weight: Any, targets: Any, group: Any, keywords: dict[str, Any]) -> HeadOfPart:
    """This process's part of a head; `keywords` are the other arguments of the call.

    The processes tell each other what they refuse, and where their tensors lie, before anything is gathered.

    Raises:
        TypeError: group= next to DTensors, or what `layout_of` refuses.
        ValueError: another process has refused its arguments, or has other placements.
    """
    known = on_mesh(weight, input, keywords["bias"], targets)[0]

    def check() -> _Checked:
        if group is not None:
            raise TypeError("weight is a DTensor, whose mesh says who holds which classes; leave out group=.")
        layout = layout_of(input, weight)
        return _place(layout, input, weight, targets, keywords)

    found = check_everywhere(known.device_mesh, call, known.device, check, lambda found: found.said)
    # In one order on every process, since a gather may be behind each.
    parts = {name: placed.part() for name, placed in found.options.items()}
    values = {name: placed.part() for name, placed in found.of_mapping.items()}
    teacher = {name: placed.part() for name, placed in found.of_targets.items()}
    return HeadOfPart(
        found.layout,
        found.input.part(),
        found.weight.part(),
        replace(targets, **teacher) if found.targets is None else found.targets.part(),
        {**keywords, **parts, "mapping": found.mapping.replace(**values)},
        input.shape[:-1],
    )


@dataclass(frozen=True)
class _Checked:
    """A call's arguments, each with where it is to lie."""

    layout: Layout
    input: Placed
    weight: Placed
    #: None for a teacher's, whose tensors are in `of_targets`.
    targets: Placed | None
    of_targets: dict[str, Placed]
    options: dict[str, Placed]
    mapping: ProbabilityMapping
    of_mapping: dict[str, Placed]

    @property
    def said(self) -> dict[str, object]:
        """Where each tensor lies, the same on every process."""
        found = {"input": self.input, "weight": self.weight, **self.options, **self.of_mapping}
        found |= {f"targets.{name}": placed for name, placed in self.of_targets.items()}
        found |= {} if self.targets is None else {"targets": self.targets}
        said = {f"placements of {name}": placed.said for name, placed in found.items()}
        return {name: words for name, words in said.items() if words != "no tensor"}


def _place(layout: Layout, input: Any, weight: Any, targets: Any, keywords: dict[str, Any]) -> _Checked:
    options = {"bias": place_bias(keywords["bias"], layout)}
    for name in [name for name in PER_CLASS if name in keywords]:
        options[name] = place_parameter(name, keywords[name], layout, layout.per_class)
    if "sample_weight" in keywords:
        options["sample_weight"] = place_rows("sample_weight", keywords["sample_weight"], layout, layout.rows)
    for name in [name for name in ("temperature", "scale") if name in keywords]:
        options[name] = place_number(name, keywords[name], layout)
    refuse_parts(layout, input, targets=targets, sample_weight=keywords.get("sample_weight"))
    mapping = resolve_mapping(keywords["mapping"])
    is_teacher = isinstance(targets, DistillationTargets)
    return _Checked(
        layout,
        place_rows("input", input, layout, layout.rows),
        place_parameter("weight", weight, layout, layout.per_class),
        None if is_teacher else place_labels(targets, layout, input.ndim),
        place_teacher(targets, layout) if is_teacher else {},
        options,
        mapping,
        {name: place_number(name, x, layout) for name, x in mapping.values.items() if isinstance(x, DTensor)},
    )
