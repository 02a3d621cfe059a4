"""The head's loss as autograd sees it outside traces: backward scales the gradients that forward computed where they lie."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.torch.linear.operator import REDUCTION, linear_loss_of, options_of, product_of_head, traced_head_loss
from lastlayer.torch.linear.scaling import scale_sums
from lastlayer.torch.plain import is_plain

Tensor = torch.Tensor

#: The tensors among the operator's arguments: input, weight, bias, targets, two kinds of weights, a parameter of rows.
_TENSORS = 7


class HeadLoss(torch.autograd.Function):
    """Loss and denominator, round the operator: the way through it takes time, and backward a second buffer of the weight's size."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        value, denominator, *ctx.kept = linear_loss_of(*arguments)
        ctx.mark_non_differentiable(denominator)
        ctx.save_for_backward(*arguments[:_TENSORS])
        ctx.rest = arguments[_TENSORS:]
        return value, denominator

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Any) -> tuple[Any, ...]:
        arguments, wanted = (*ctx.saved_tensors, *ctx.rest), ctx.rest[-3:]
        if ctx.kept is None:
            # An earlier backward was given what forward had kept, and whoever has it now may have changed it.
            with torch.no_grad():
                ctx.kept = linear_loss_of(*arguments)[2:]
        if arguments[REDUCTION] == "none" or torch.is_grad_enabled() or not is_plain(upstream):
            gradients = product_of_head(upstream, *ctx.kept, *arguments)
        else:
            mapping, targets, options = options_of(arguments[3:])
            scale, *sums = ctx.kept
            scale_sums(upstream, scale, tuple(sums), targets, options, mapping.family)
            gradients = [
                total if x is None or not total.numel() else total.to(x.dtype)
                for total, x in zip(sums, arguments[:3], strict=True)
            ]
            ctx.kept = None
        each = (g if w else None for g, w in zip(gradients, wanted, strict=True))
        return *each, *[None] * (len(arguments) - 3)


def head_loss(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Loss and denominator of the operator's arguments, by whichever of the two serves their tensors."""
    tensors = [value for value in arguments if isinstance(value, torch.Tensor)]
    # Meta tensors have nothing to compute on; the operator knows the shapes of its results.
    if all(map(is_plain, tensors)) and not tensors[0].is_meta:
        return HeadLoss.apply(*arguments)  # type: ignore[no-untyped-call]
    value, denominator, *_ = traced_head_loss(*arguments)
    return value, denominator
