"""`linear_statistics` where each process of a group holds a slice of the classes."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import prepare_mapping, refuse_gradients
from lastlayer.torch.linear.blocks import Wanted
from lastlayer.torch.linear.margins import read_scoring
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores
from lastlayer.torch.linear.shapes import as_rows
from lastlayer.torch.linear.sharded.formula_rows import buffers_of
from lastlayer.torch.linear.sharded.preparation import (
    Sliced,
    agree_on,
    check_slices_of,
    fact_of_temperature,
    facts_of,
    height_of,
    or_tell,
    prepare_slices,
    read_targets,
)
from lastlayer.torch.linear.sharded.softmax import is_softmax
from lastlayer.torch.linear.sharded.statistics_autograd import SlicedStatistics
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


@torch.compiler.disable  # type: ignore[untyped-decorator]
def sliced_statistics(
    input: Tensor,
    weight: Tensor,
    labels: Tensor,
    group: Any,
    n_classes: int | None,
    bias: Tensor | None,
    mapping: str | ProbabilityMapping,
    ignore_index: int,
    temperature: Any,
    softcap: Any,
    max_memory: int | None,
    scores_dtype: torch.dtype | None,
    scoring: dict[str, Any],
) -> tuple[Tensor, ...]:
    """log p of the label, entropy, Z and argmax of whole rows, on every process."""
    wire = Wire(group, "linear_statistics")

    def prepare() -> Sliced:
        check_slices_of(weight, bias=bias)
        refuse_gradients(softcap=softcap)
        check_max_memory(max_memory)
        side = read_scoring(**scoring)
        head, number = prepare_slices(*side.rows(input, weight, bias), bias, temperature, softcap)
        is_wide = has_wide_scores(scores_dtype, head.input.dtype)
        options = LossOptions(ignore_index=ignore_index, temperature=number, softcap=softcap)
        record = prepare_mapping(resolve_mapping(mapping), head)
        goal, is_soft = read_targets(labels, head)
        if is_soft:
            raise TypeError(f"labels are {labels.dtype}; give integers, for example labels.long().")
        buffers = 1 if is_softmax(record) else buffers_of(head.input.dtype)
        height = height_of(head, max_memory, is_wide, buffers)
        facts = {**facts_of(head, record, options, goal, False), "scores_dtype": scores_dtype, **side.facts()}
        facts |= fact_of_temperature(temperature)
        return Sliced(head, record, options, goal, False, is_wide, height, facts)

    sliced = or_tell(wire, weight, prepare)
    call, head = agree_on(wire, sliced, n_classes)
    is_tracking = torch.is_grad_enabled()
    wanted = Wanted(*(x is not None and x.requires_grad and is_tracking for x in head[:3]))
    found = SlicedStatistics.apply(call, wanted, *head[:3])  # type: ignore[no-untyped-call]
    return tuple(as_rows(part, head.shape) for part in found)
