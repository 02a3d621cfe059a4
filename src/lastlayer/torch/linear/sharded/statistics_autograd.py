"""The statistics of rows in slices as autograd sees them: backward computes the scores again."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.torch.linear.blocks import Wanted, scores_of_blocks
from lastlayer.torch.linear.sharded.autograd import agree_on_backward, refuse_second_derivative
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.formula_statistics import argmax_of, formula_slopes, formula_statistics
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.softmax import is_softmax
from lastlayer.torch.linear.sharded.softmax_statistics import KEPT, softmax_slopes, softmax_statistics

Tensor = torch.Tensor


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
        kept = input.new_empty((KEPT if has_kept else 0, input.shape[0]), dtype=torch.float64)
        dtype = loss_dtype(input, xp)
        found = [input.new_empty(input.shape[0], dtype=dtype) for _ in range(3)]
        argmax = torch.empty_like(call.targets)
        for block in scores_of_blocks(input, weight, bias, call.agreement.height, is_wide=call.is_wide):
            if has_kept:
                *values, argmax[block.place], kept[:, block.place] = softmax_statistics(call, block)
            else:
                argmax[block.place] = argmax_of(call, block)
                values = list(formula_statistics(call, block))
            for statistic, some in zip(found, values, strict=True):
                statistic[block.place] = some.to(dtype)
        ctx.call, ctx.wanted = call, wanted
        ctx.save_for_backward(input, weight, bias, kept)
        ctx.mark_non_differentiable(argmax)
        return *found, argmax

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
        refuse_second_derivative("linear_statistics")
        call, (input, weight, bias, kept) = ctx.call, ctx.saved_tensors
        height = call.agreement.height
        agree_on_backward(call, input)
        sums = SliceGradients(input, weight, bias, ctx.wanted, height, None, call.is_wide)
        for block in scores_of_blocks(input, weight, bias, height, tail=lambda: sums.tail, is_wide=call.is_wide):
            some = tuple(part[block.place].double() for part in upstream[:3])
            if len(kept):
                softmax_slopes(call, block, kept[:, block.place], *some)
            else:
                formula_slopes(call, block, *some)
            sums.add(block, block.scores)
        each = zip(sums.finish(call.wire), (input, weight, bias), ctx.wanted, strict=True)
        return None, None, *(total.to(x.dtype) if is_wanted and x is not None else None for total, x, is_wanted in each)
