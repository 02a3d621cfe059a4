"""`linear_loss` where each process of a group holds a slice of the classes."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.losses.options import NUMBERS
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import options_of_head, prepare_mapping, prepare_weights, refuse_gradients
from lastlayer.torch.linear.blocks import Wanted
from lastlayer.torch.linear.margins import Scoring, read_scoring
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores
from lastlayer.torch.linear.request import HeadRequest
from lastlayer.torch.linear.shapes import as_rows
from lastlayer.torch.linear.sharded.autograd import SlicedLoss
from lastlayer.torch.linear.sharded.blocks import buffers_of_loss
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
from lastlayer.torch.linear.sharded.scoring import score_slices
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


@torch.compiler.disable  # type: ignore[untyped-decorator]
def sliced_loss(given: HeadRequest) -> Any:
    """The loss of the whole head on every process."""
    wire = Wire(given.group, "linear_loss")

    def prepare() -> tuple[Sliced, Scoring]:
        prior = given.scoring["class_prior"]
        check_slices_of(
            given.weight, bias=given.bias, class_weight=given.options.get("class_weight"), class_prior=prior
        )
        refuse_gradients(**{name: given.options.get(name) for name in NUMBERS if name != "temperature"})
        check_max_memory(given.max_memory)
        side = read_scoring(**given.scoring, softcap=given.options.get("softcap"))
        rows = side.rows(given.input, given.weight, given.bias)
        head, number = prepare_slices(
            *rows, given.bias, given.options.get("temperature", 1.0), given.options.get("softcap")
        )
        side.prior_of(head.weight.shape[0])
        is_wide = has_wide_scores(given.scores_dtype, head.input.dtype)
        record = prepare_mapping(resolve_mapping(given.mapping), head)
        checked = prepare_weights(options_of_head("linear_loss", {**given.options, "temperature": number}), head)
        goal, is_soft = read_targets(given.targets, head)
        side.check_targets(is_soft)
        height = height_of(head, given.max_memory, is_wide, buffers_of_loss(record, is_soft, head.input.dtype))
        facts = {**facts_of(head, record, checked, goal, is_soft), "scores_dtype": given.scores_dtype, **side.facts()}
        facts |= fact_of_temperature(given.options.get("temperature"))
        return Sliced(head, record, checked, goal, is_soft, is_wide, height, facts), side

    sliced, side = or_tell(wire, given.weight, prepare)
    call, head = agree_on(wire, sliced, given.n_classes)
    head, labels = score_slices(
        call, head, side, given.input, given.weight, given.bias, given.options.get("temperature")
    )
    is_tracking = torch.is_grad_enabled()
    wanted = Wanted(*(x is not None and x.requires_grad and is_tracking for x in head[:3]))
    value, denominator = SlicedLoss.apply(call, wanted, *head[:3], *labels)  # type: ignore[no-untyped-call]
    if call.options.reduction == "parts":
        return value, denominator.detach()
    return as_rows(value, head.shape) if call.options.reduction == "none" else value
