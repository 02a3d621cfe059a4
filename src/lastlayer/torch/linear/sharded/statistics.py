"""`linear_statistics` where each process of a group holds a slice of the classes."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.losses import LossOptions
from lastlayer.mappings import Point, ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import prepare_mapping, refuse_gradients
from lastlayer.torch.linear.blocks import Block, Wanted, of_rows, scores_of_blocks
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores
from lastlayer.torch.linear.sharded.autograd import agree_on_backward, refuse_second_derivative
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.formula_rows import buffers_of
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.preparation import (
    Sliced,
    agree_on,
    facts_of,
    height_of,
    or_tell,
    prepare_slices,
    read_targets,
)
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


@torch.compiler.disable
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
) -> tuple[Tensor, ...]:
    """log p of the label, entropy, Z and argmax of whole rows, on every process."""
    wire = Wire(group, "linear_statistics")

    def prepare() -> Sliced:
        refuse_gradients(softcap=softcap)
        check_max_memory(max_memory)
        head, number = prepare_slices(input, weight, bias, temperature, softcap)
        is_wide = has_wide_scores(scores_dtype, head.input.dtype)
        options = LossOptions(ignore_index=ignore_index, temperature=number, softcap=softcap)
        record = prepare_mapping(resolve_mapping(mapping), head)
        goal, is_soft = read_targets(labels, head)
        if is_soft:
            raise TypeError(f"labels are {labels.dtype}; give integers, for example labels.long().")
        height = height_of(head, max_memory, is_wide, buffers_of(head.input.dtype))
        facts = {**facts_of(head, record, options, goal, False), "scores_dtype": scores_dtype}
        return Sliced(head, record, options, goal, False, is_wide, height, facts)

    sliced = or_tell(wire, weight, prepare)
    call, head = agree_on(wire, sliced, n_classes)
    is_tracking = torch.is_grad_enabled()
    wanted = Wanted(*(x is not None and x.requires_grad and is_tracking for x in head[:3]))
    found = SlicedStatistics.apply(call, wanted, *head[:3])  # type: ignore[no-untyped-call]
    return tuple(part.reshape(head.shape) for part in found)


class SlicedStatistics(torch.autograd.Function):
    """The four statistics; backward computes the scores again and sends as much as forward did."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, wanted: Wanted, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.call, ctx.wanted = call, wanted
        ctx.save_for_backward(input, weight, bias)
        dtype = loss_dtype(input, xp)
        found = [input.new_empty(input.shape[0], dtype=dtype) for _ in range(3)]
        argmax = torch.empty_like(call.targets)
        for block in scores_of_blocks(input, weight, bias, call.agreement.height, is_wide=call.is_wide):
            argmax[block.place] = _argmax(call, block)
            for statistic, values in zip(found, _statistics(call, block), strict=True):
                statistic[block.place] = values.to(dtype)
        ctx.mark_non_differentiable(argmax)
        return *found, argmax

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
        refuse_second_derivative("linear_statistics")
        call, tensors = ctx.call, ctx.saved_tensors
        input, height = tensors[0], call.agreement.height
        agree_on_backward(call, input)
        sums = SliceGradients(*tensors, ctx.wanted, height, None, call.is_wide)
        for block in scores_of_blocks(*tensors, height, tail=lambda: sums.tail, is_wide=call.is_wide):
            slopes = _slopes(call, block, *(part[block.place].double()[:, None] for part in upstream[:3]))
            block.scores.copy_(slopes[:, : call.size])
            sums.add(block, block.scores)
        each = zip(sums.finish(call.wire), tensors, ctx.wanted, strict=True)
        return None, None, *(total.to(x.dtype) if is_wanted and x is not None else None for total, x, is_wanted in each)


def _point(call: Call, block: Block) -> tuple[Tensor, Point]:
    """The scores before softcap and temperature, and the mapping at the scores after them."""
    raw, namespace = call.columns(block.scores, 1.0), call.namespace
    return raw, of_rows(call.record, block.place).at(call.options.activation(raw, namespace), namespace)


def _is_label(call: Call, place: slice | Tensor) -> Tensor:
    """Where the label of each row is among this process's classes, (n, K of this process)."""
    if not call.size:
        return torch.zeros_like(call.targets[place], dtype=torch.bool)[:, None]
    classes = call.offset + torch.arange(call.size, device=call.targets.device)
    return call.targets[place][:, None] == classes


def _is_bad(call: Call, place: slice | Tensor) -> Tensor:
    """Labels out of range, where nobody has read them."""
    labels = call.targets[place]
    return ((labels < 0) | (labels >= call.classes)) & (labels != call.options.ignore_index)


def _statistics(call: Call, block: Block) -> tuple[Tensor, Tensor, Tensor]:
    """log p of the label, entropy and Z of whole rows, float64."""
    _, point = _point(call, block)
    logs = point.log_probabilities()
    at_label = torch.where(_is_label(call, block.place), logs, 0.0)
    terms = torch.where(logs == -float("inf"), 0.0, torch.exp(logs) * logs)
    if not call.size:
        at_label, terms = torch.zeros_like(at_label), torch.zeros_like(terms)
    log_prob, negative = call.wire.gather(torch.stack([at_label.sum(1), terms.sum(1)])).sum(0)
    log_prob = torch.where(_is_bad(call, block.place), float("nan"), log_prob)
    log_prob = torch.where(call.targets[block.place] == call.options.ignore_index, 0.0, log_prob)
    return log_prob, -negative, point.log_partition()


def _argmax(call: Call, block: Block) -> Tensor:
    """The first class of all slices with the largest score."""
    if call.size:
        largest, place = block.scores.max(1)
        found = torch.stack([largest.double(), (place + call.offset).double()])
    else:
        found = block.scores.new_full((2, block.scores.shape[0]), float(call.offset), dtype=torch.float64)
        found[0] = -float("inf")
    largest, classes = call.wire.gather(found).unbind(1)
    return classes.gather(0, largest.argmax(0)[None])[0].long()


def _slopes(call: Call, block: Block, in_log_prob: Tensor, in_entropy: Tensor, in_partition: Tensor) -> Tensor:
    """The gradient of Σ upstream · statistic in the scores of this slice, float64."""
    raw, point = _point(call, block)
    labels = call.targets[block.place][:, None]
    in_log_prob = torch.where(labels == call.options.ignore_index, 0.0, in_log_prob)
    in_log_prob = torch.where(_is_bad(call, block.place)[:, None], float("nan"), in_log_prob)
    is_label = _is_label(call, block.place) | in_log_prob.isnan()
    slopes = point.log_vjp(torch.where(is_label, in_log_prob, 0.0))
    logs = point.log_probabilities()
    # −Σ p log p has the slopes −(log p + 1) in p. Where p sums to one the 1 changes nothing, and would round a small log p away.
    constant = 0.0 if "sums_to_one" in call.mapping.laws else 1.0
    slopes = slopes + point.vjp(torch.where(logs == -float("inf"), 0.0, -in_entropy * (logs + constant)))
    slopes = slopes + in_partition * point.partition_gradient()
    pulled: Tensor = call.options.activation.pull_back(raw, slopes, xp)
    return pulled
