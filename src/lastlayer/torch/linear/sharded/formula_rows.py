"""Losses and slopes of a block by the formulas of the record, for every mapping, target and option."""

from __future__ import annotations

from dataclasses import replace

import torch

from lastlayer.losses import LossOptions, losses_of_targets
from lastlayer.torch.linear.blocks import Block, of_rows
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.facts import RowFacts, slice_targets

Tensor = torch.Tensor

#: float64 numbers per score that exist at one time: scores, terms, probabilities and what is between them.
_NUMBERS = 16


def formula_rows(call: Call, facts: RowFacts, options: LossOptions, block: Block, with_gradient: bool) -> Tensor:
    """The losses (n,) of whole rows, float64. With a gradient, the slopes of this slice replace its scores."""
    weight = options.weight
    options = replace(options, weight=None if weight is None else call.columns(weight))
    dense = slice_targets(facts, block.place, options, call.offset, call.size, call.classes)
    rows = losses_of_targets(
        of_rows(call.record, block.place),
        call.columns(block.scores, 1.0),
        dense,
        options,
        call.namespace,
        with_gradient,
    )
    if rows.gradient is not None:
        block.scores.copy_(rows.gradient[:, : call.size])
    found: Tensor = rows.losses
    return found


def buffers_of(dtype: torch.dtype) -> int:
    """How many times a block's scores the formulas hold at one time."""
    return 1 + _NUMBERS * 8 // dtype.itemsize
