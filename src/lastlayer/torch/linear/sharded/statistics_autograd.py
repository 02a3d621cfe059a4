"""The statistics of rows in slices as autograd sees them: backward computes the scores again."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.losses import LossOptions
from lastlayer.torch.linear.blocks import Wanted, rows_that_count, scores_of_blocks
from lastlayer.torch.linear.scaling import Upstream
from lastlayer.torch.linear.sharded.autograd import agree_on_backward, refuse_second_derivative
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.formula_statistics import argmax_of, formula_slopes, formula_statistics
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.softmax import is_softmax
from lastlayer.torch.linear.sharded.softmax_statistics import KEPT, softmax_slopes, softmax_statistics

Tensor = torch.Tensor


def _visited(call: Call) -> Tensor | None:
    """The rows whose scores are computed, the same on every process; None for all."""
    return rows_that_count(call.targets, False, LossOptions(ignore_index=call.options.ignore_index), "normalized")


class SlicedStatistics(torch.autograd.Function):
    """log p of the label, entropy, Z and argmax of whole rows.

    Under softmax, forward keeps four numbers per row, and backward sends nothing but the gradient of the input. Other mappings send
    as much in backward as in forward.
    """

    @staticmethod
    def forward(
        ctx: Any, call: Call, wanted: Wanted, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, ...]:
        has_kept = is_softmax(call.mapping)
        kept = input.new_zeros((KEPT if has_kept else 0, input.shape[0]), dtype=torch.float64)
        dtype, rows = loss_dtype(input, xp), _visited(call)
        found = [input.new_zeros(input.shape[0], dtype=dtype) for _ in range(3)]
        argmax = torch.full_like(call.targets, -1)
        for block in scores_of_blocks(input, weight, bias, call.agreement.height, rows, is_wide=call.is_wide):
            if has_kept:
                *values, first, kept[:, block.place] = softmax_statistics(call, block)
            else:
                first = argmax_of(call, block)
                log_prob, entropy, partition = formula_statistics(call, block)
                values = [log_prob.clamp(max=0.0), entropy.clamp(min=0.0), partition]
            is_ignored = call.targets[block.place] == call.options.ignore_index
            argmax[block.place] = torch.where(is_ignored, -1, first)
            for statistic, some in zip(found, values, strict=True):
                statistic[block.place] = torch.where(is_ignored, 0.0, some).to(dtype)
        ctx.call, ctx.wanted = call, wanted
        ctx.save_for_backward(input, weight, bias, kept)
        ctx.mark_non_differentiable(argmax)
        return *found, argmax

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
        refuse_second_derivative("linear_statistics")
        call, (input, weight, bias, kept) = ctx.call, ctx.saved_tensors
        height, rows = call.agreement.height, _visited(call)
        agree_on_backward(call, input, *upstream[:3])
        is_live = call.targets != call.options.ignore_index
        arriving = Upstream(tuple(part.double() for part in upstream[:3]), is_live, input.dtype)
        sums = SliceGradients(input, weight, bias, ctx.wanted, height, rows, call.is_wide)
        for block in scores_of_blocks(input, weight, bias, height, rows, lambda: sums.tail, is_wide=call.is_wide):
            some = arriving[block.place]
            if len(kept):
                softmax_slopes(call, block, kept[:, block.place], *some)
            else:
                formula_slopes(call, block, *some)
            sums.add(block, block.scores)
        each = zip(arriving.scale(sums.finish(call.wire)), (input, weight, bias), ctx.wanted, strict=True)
        return None, None, *(total.to(x.dtype) if is_wanted and x is not None else None for total, x, is_wanted in each)
