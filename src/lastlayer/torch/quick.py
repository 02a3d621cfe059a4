"""Losses of small eager problems: what autograd needs of a plain CPU tensor with labels, in a fraction of the usual questions' time."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer import dispatch
from lastlayer.functions.names import resolve_mapping
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.operators import flatten, has_tangent, product_of_loss
from lastlayer.torch.rows import is_plain

Tensor = torch.Tensor


class _Quick(torch.autograd.Function):
    """A loss that was computed together with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, found: tuple[Tensor, Tensor], mapping: Any, targets: Tensor, options: LossOptions
    ) -> Tensor:
        value, gradient = found
        # Saved, so that whoever keeps the loss does not keep the gradient beyond backward.
        ctx.save_for_backward(scores, targets, gradient)
        ctx.told = mapping, options
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        mapping, options = ctx.told
        scores, targets, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            told = flatten(resolve_mapping(mapping), targets, options)
            product = product_of_loss(upstream, gradient, scores, *told)
        else:
            product = gradient * (upstream[..., None] if options.reduction == "none" else upstream)
        return product, None, None, None, None


def loss_quickly(
    mapping: str | ProbabilityMapping,
    scores: Tensor,
    targets: Any,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
) -> tuple[Any, Tensor | None] | None:
    """Loss and gradient of (N, K) float32 or float64 scores and labels without weights; None where there is more to ask."""
    if (
        not is_plain(scores)
        or type(targets) is not Tensor
        or not (scores.is_cpu and targets.is_cpu)
        or scores.ndim != 2
        or scores.dtype not in (torch.float32, torch.float64)
        or targets.dtype != torch.int64
        or options.sample_weight is not None
        or options.reduction == "parts"
        or torch._C._len_torch_dispatch_stack() != 0
        or has_tangent(scores)
    ):
        return None
    is_tracked = scores.requires_grad and torch.is_grad_enabled()
    found = dispatch.loss_quickly(
        mapping, scores.detach().numpy(), targets.numpy(), options, on_domain, with_gradient or is_tracked, None
    )
    if found is None:
        return None
    value = torch.from_numpy(found[0])
    gradient = None if found[1] is None else torch.from_numpy(found[1])
    if is_tracked and not with_gradient:
        value = _Quick.apply(scores, (value, gradient), mapping, targets, options)  # type: ignore[no-untyped-call]
    return value, gradient if with_gradient else None
