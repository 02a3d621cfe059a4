"""The pass over blocks of rows on every process at the same time: the whole rows' losses, and this slice's gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Block, LossGradients, Wanted, scores_of_blocks
from lastlayer.torch.linear.margins import LabelScores
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.facts import RowFacts, of_rows, row_facts
from lastlayer.torch.linear.sharded.formula_rows import buffers_of, formula_rows
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.row_pass import Found, RowPass
from lastlayer.torch.linear.sharded.softmax import is_softmax
from lastlayer.torch.linear.sharded.softmax_rows import SoftmaxRows

Tensor = torch.Tensor


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

    `label_scores` (N,) replace the product's at the labels of this process; `directions` gives their slopes in the input.
    """
    facts = row_facts(call.targets, options, call.mapping.family, call.offset, call.classes, call.wire)
    through = RowPass(input, options, facts.denominators, facts.is_counted)
    rows = through.rows
    sums = SliceGradients(input, weight, bias, wanted, call.agreement.height, rows, call.is_wide)
    losses_of = _losses_of_blocks(call, facts, through.options)
    at_labels = LabelScores(label_scores, call.targets - call.offset, call.size)
    for block in scores_of_blocks(
        input, weight, bias, call.agreement.height, rows, lambda: sums.tail, is_wide=call.is_wide
    ):
        at_labels.put(block.place, block.scores)
        through.losses[block.place] = losses_of(block, any(wanted))
        if any(wanted):
            at_labels.take(block.place, block.scores)
            sums.add(block, block.scores)
    if directions is not None and wanted.input:
        sums.add_rows(at_labels.slopes, directions())
    return through.found(LossGradients(*sums.finish(call.wire), at_labels.slopes))


def buffers_of_loss(mapping: ProbabilityMapping, is_soft: bool, dtype: torch.dtype) -> int:
    """How many buffers of a block's size the loss needs."""
    return 1 if is_softmax(mapping) and not is_soft else buffers_of(dtype)


def _losses_of_blocks(call: Call, facts: RowFacts, options: LossOptions) -> Callable[[Block, bool], Tensor]:
    """What computes the losses of a block and, if asked to, replaces its scores by their slopes."""
    if is_softmax(call.mapping) and not call.targets.is_floating_point():
        return SoftmaxRows(call, facts, options)
    return lambda block, with_gradient: formula_rows(call, facts, of_rows(options, block.place), block, with_gradient)
