"""The loss on slices as autograd sees it: forward computes the gradients, except where losses are not reduced."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from lastlayer.backends.torch import gpu
from lastlayer.torch.linear.blocks import Wanted
from lastlayer.torch.linear.scaling import weighted_rows
from lastlayer.torch.linear.sharded.blocks import loss_of_slices
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.handshake import agree
from lastlayer.torch.linear.sharded.prints import print_of_rows
from lastlayer.torch.linear.sharded.row_pass import Found

Tensor = torch.Tensor


class SlicedLoss(torch.autograd.Function):
    """Loss and denominator; the gradient of the input is summed over the processes already."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        wanted: Wanted,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        label_scores: Tensor | None,
        directions: Callable[[], Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        is_later = call.options.reduction == "none"
        found = loss_of_slices(
            call,
            input,
            weight,
            bias,
            call.options,
            Wanted(False, False, False) if is_later else wanted,
            label_scores,
            directions,
        )
        ctx.call, ctx.wanted, ctx.kept = call, wanted, None if is_later else found
        ctx.directions = directions
        ctx.save_for_backward(input, weight, bias, label_scores)
        total, denominator = found.value if isinstance(found.value, tuple) else (found.value, found.value.new_empty(0))
        ctx.mark_non_differentiable(denominator)
        return total, denominator

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Any) -> tuple[Any, ...]:
        refuse_second_derivative("linear_loss")
        call, tensors = ctx.call, ctx.saved_tensors
        options = call.options
        if options.reduction == "none":
            options = replace(options, sample_weight=weighted_rows(upstream, options))
        found = ctx.kept
        if found is None:
            # Not reduced, or an earlier backward returned what forward had kept.
            agree_on_backward(call, tensors[0], upstream if options.reduction == "none" else None)
            input, weight, bias, label_scores = tensors
            found = loss_of_slices(call, input, weight, bias, options, ctx.wanted, label_scores, ctx.directions)
        ctx.kept = None
        scale_gradients(found, upstream.new_ones(()) if options.reduction == "none" else upstream)
        each = zip(found.gradients, tensors, (*ctx.wanted, any(ctx.wanted)), strict=True)
        gradients = (total.to(x.dtype) if is_wanted and x is not None else None for total, x, is_wanted in each)
        return None, None, *gradients, None


def refuse_second_derivative(function: str) -> None:
    """Raise RuntimeError where backward is to be differentiated."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            f"{function} with group= has no second derivatives (create_graph=True): they go through the stored scores of a whole "
            "row, which no process has. Call it without group, or without create_graph."
        )


def agree_on_backward(call: Call, input: Tensor, *upstream: Tensor | None) -> None:
    """The handshake before a backward pass that sends something.

    Raises:
        ValueError: the processes do not run backward through the same call, or their upstream gradients differ.
    """
    prints = " ".join(print_of_rows(u) for u in upstream if u is not None)
    facts = {**call.facts, "pass": "backward", "upstream gradients, as fingerprints": prints}
    agree(call.wire, input.device, facts, call.agreement.height, call.size)


def scale_gradients(found: Found, upstream: Tensor) -> None:
    """Multiply the gradients by upstream · scale, in place; an infinite or NaN factor leaves the rows that do not count at 0."""
    factor = upstream.double() * found.scale
    if factor.device.type == "cpu" and math.isfinite(number := float(factor)):
        if number != 1.0:
            for total in found.gradients:
                total.mul_(number)
        return
    common = torch.where(found.is_counted.any(), factor, 0.0)
    rows = (found.is_counted, None, None, found.is_counted)
    for total, by, counted in zip(found.gradients, (factor, common, common, factor), rows, strict=True):
        if total.numel():
            gpu.scale_in_place(total, by, counted)
