"""The head's loss as autograd sees it outside traces: backward scales the gradients that forward computed, in place."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.backends.torch.tensor_state import is_untransformed
from lastlayer.torch.linear.operator import (
    HEAD,
    head_gradients,
    linear_loss_of,
    options_of,
    product_of_head,
    tensors_of,
    traced_head_loss,
)
from lastlayer.torch.linear.scaling import scale_sums

Tensor = torch.Tensor


class HeadLoss(torch.autograd.Function):
    """Loss and denominator without the operator, which takes time, and whose backward takes a second buffer of the weight's size."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        value, denominator, *ctx.kept = linear_loss_of(*arguments)
        ctx.mark_non_differentiable(denominator)
        tensors, ctx.others = HEAD.split(arguments)
        ctx.save_for_backward(*tensors)
        return value, denominator

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Any) -> tuple[Any, ...]:
        head = HEAD.join(ctx.saved_tensors, ctx.others)
        if ctx.kept is None:
            # An earlier backward returned what forward had kept, and its receiver may have changed it.
            with torch.no_grad():
                ctx.kept = linear_loss_of(*head)[2:]
        if head.reduction == "none" or torch.is_grad_enabled() or not is_untransformed(upstream):
            gradients = product_of_head(upstream, *ctx.kept, *head)
        else:
            mapping, targets, options = options_of(head)
            scale, *sums = ctx.kept
            scale_sums(upstream, scale, tuple(sums), targets, options, mapping.family)
            gradients = [
                total if x is None or not total.numel() else total.to(x.dtype)
                for total, (x, _) in zip(sums, tensors_of(head), strict=True)
            ]
            ctx.kept = None
        return head_gradients(head, gradients)


def head_loss(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Loss and denominator of the arguments of `HEAD`, by autograd's function for plain tensors, else by the operator."""
    tensors = [value for value in arguments if isinstance(value, torch.Tensor)]
    # Meta tensors have nothing to compute on; the operator knows the shapes of its results.
    if all(map(is_untransformed, tensors)) and not tensors[0].is_meta:
        return HeadLoss.apply(*arguments)  # type: ignore[no-untyped-call]
    value, denominator, *_ = traced_head_loss(*arguments)
    return value, denominator
