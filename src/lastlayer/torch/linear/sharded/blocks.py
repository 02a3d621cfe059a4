"""The pass over blocks of rows on every process at the same time: the whole rows' losses, and this slice's gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.backends.torch.reduction import inverse, reduce_rows
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Block, LossGradients, Wanted, in_units, scores_of_blocks
from lastlayer.torch.linear.margins import LabelScores
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.facts import RowFacts, of_rows, row_facts
from lastlayer.torch.linear.sharded.formula_rows import buffers_of, formula_rows
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.softmax import is_softmax
from lastlayer.torch.linear.sharded.softmax_rows import SoftmaxRows

Tensor = torch.Tensor


class Found(NamedTuple):
    """The reduced loss, and gradients that are those of the loss times `scale`."""

    value: Any
    scale: Tensor
    gradients: LossGradients
    #: False for the rows whose gradient is exactly 0.
    is_counted: Tensor


def loss_of_slices(
    call: Call,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    options: LossOptions,
    wanted: Wanted,
    label_scores: Tensor | None = None,
    directions: Callable[[], Tensor] | None = None,
) -> Found:
    """The loss of all classes, and the gradients of this process's slice and of the whole input.

    As in `linear.blocks.loss_of_blocks` the scale of a mean is part of the slopes, except in float16, where they would underflow.
    `label_scores` (N,) replace the product's at the labels of this process; `directions` gives their slopes in the input.
    """
    facts = row_facts(call.targets, options, call.mapping.family, call.offset, call.classes, call.wire)
    # Every process visits the same rows, for it knows the same facts. Elsewhere than on the CPU the answer would wait.
    is_skipping = input.device.type == "cpu" and not bool(facts.is_counted.all())
    rows = facts.is_counted.nonzero().squeeze(1) if is_skipping else None
    is_mean, is_float16 = options.reduction == "mean", input.dtype == torch.float16
    scale = inverse(facts.denominators.sum()) if is_mean else facts.denominators.new_ones(())
    unit, weights = torch.ones_like(scale), options.sample_weight
    weights = None if weights is None else weights.double()
    if is_mean and not is_float16:
        weights = scale.expand(input.shape[0]) if weights is None else weights * scale
    if is_float16 and weights is not None:
        weights, unit = in_units(weights)
    weighted = replace(options, reduction="none", sample_weight=weights)
    losses = facts.denominators.new_zeros(input.shape[0])
    sums = SliceGradients(input, weight, bias, wanted, call.agreement.height, rows, call.is_wide)
    losses_of = _losses_of_blocks(call, facts, weighted)
    at_labels = LabelScores(label_scores, call.targets - call.offset, call.size)
    for block in scores_of_blocks(
        input, weight, bias, call.agreement.height, rows, lambda: sums.tail, is_wide=call.is_wide
    ):
        at_labels.put(block.place, block.scores)
        losses[block.place] = losses_of(block, any(wanted))
        if any(wanted):
            at_labels.take(block.place, block.scores)
            sums.add(block, block.scores)
    if directions is not None and wanted.input:
        sums.add_rows(at_labels.slopes, directions())
    gradients = LossGradients(*sums.finish(call.wire), at_labels.slopes)
    is_scaled = is_mean and not is_float16
    value = reduce_rows(losses * unit, facts.denominators, "sum" if is_scaled else options.reduction)
    dtype = loss_dtype(input, xp)
    value = tuple(part.to(dtype) for part in value) if isinstance(value, tuple) else value.to(dtype)
    return Found(value, torch.ones_like(scale) if is_scaled else scale * unit, gradients, facts.is_counted)


def buffers_of_loss(mapping: ProbabilityMapping, is_soft: bool, dtype: torch.dtype) -> int:
    """How many buffers of a block's size the loss needs."""
    return 1 if is_softmax(mapping) and not is_soft else buffers_of(dtype)


def _losses_of_blocks(call: Call, facts: RowFacts, options: LossOptions) -> Callable[[Block, bool], Tensor]:
    """What computes the losses of a block and, if asked to, replaces its scores by their slopes."""
    if is_softmax(call.mapping) and not call.targets.is_floating_point():
        return SoftmaxRows(call, facts, options)
    return lambda block, with_gradient: formula_rows(call, facts, of_rows(options, block.place), block, with_gradient)
