"""Small eager problems: what autograd needs of a plain CPU tensor, in a fraction of the usual questions' time."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer import dispatch
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.operators import needs_scores, product_of_quantity, pull_back_loss
from lastlayer.torch.plain import is_plain, is_tracked
from lastlayer.torch.products import keeps_result, pull_back_kept
from lastlayer.torch.records import key_of

Tensor = torch.Tensor


class _QuickQuantity(torch.autograd.Function):
    """A quantity that is there already, and what pulls a cotangent of it back to the scores."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, found: tuple[Tensor], mapping: ProbabilityMapping, quantity: str) -> Tensor:
        ctx.mapping, ctx.quantity, ctx.is_result = mapping, quantity, keeps_result(mapping, scores, quantity)
        ctx.save_for_backward(found[0] if ctx.is_result else scores)
        return found[0]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        (kept,), mapping, quantity = ctx.saved_tensors, ctx.mapping, ctx.quantity
        if torch.is_grad_enabled() or not is_plain(cotangent):
            product = product_of_quantity(cotangent, kept, None, key_of(mapping), quantity, ctx.is_result)
        else:
            product = pull_back_kept(mapping, kept, cotangent, quantity, ctx.is_result)
        return product, None, None, None


class _QuickLoss(torch.autograd.Function):
    """A loss and its gradient that are there already. The gradient is an output, for second derivatives."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        found: tuple[Tensor, Tensor],
        mapping: ProbabilityMapping,
        targets: Tensor,
        options: LossOptions,
    ) -> tuple[Tensor, Tensor]:
        # Else autograd makes zeros as large as the gradient, for the derivative that nobody asks of it.
        ctx.set_materialize_grads(False)
        ctx.mapping, ctx.options = mapping, options
        # Saved, so that whoever keeps the loss does not keep its gradient beyond backward.
        kept = scores if needs_scores(scores, mapping, targets, options) else None
        ctx.save_for_backward(found[1], kept, targets)
        return found

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, direction: Tensor | None) -> tuple[Tensor | None, ...]:
        gradient, scores, targets = ctx.saved_tensors
        problem = ctx.mapping, targets, ctx.options
        return pull_back_loss(upstream, direction, gradient, scores, problem)[0], None, None, None, None


def evaluate_quickly(mapping: str | ProbabilityMapping, scores: Tensor, quantity: str, on_domain: str) -> Tensor | None:
    """A quantity of every row of float32 or float64 scores; None where there is more to ask."""
    if not _is_on_host(scores):
        return None
    found = dispatch.evaluate_quickly(mapping, scores.detach().numpy(), quantity, on_domain)
    if found is None:
        return None
    result = torch.from_numpy(found)
    if not is_tracked(scores):
        return result
    return _QuickQuantity.apply(scores, (result,), resolve_mapping(mapping), quantity)  # type: ignore[no-untyped-call]


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
        not _is_on_host(scores)
        or type(targets) is not Tensor
        or not targets.is_cpu
        or scores.ndim != 2
        or targets.dtype != torch.int64
        or options.sample_weight is not None
        or options.reduction == "parts"
    ):
        return None
    tracked = is_tracked(scores) and not with_gradient
    found = dispatch.loss_quickly(
        mapping, scores.detach().numpy(), targets.numpy(), options, on_domain, with_gradient or tracked, None
    )
    if found is None:
        return None
    value = torch.from_numpy(found[0])
    gradient = None if found[1] is None else torch.from_numpy(found[1])
    if tracked:
        record = resolve_mapping(mapping)
        value, _ = _QuickLoss.apply(scores, (value, gradient), record, targets, options)  # type: ignore[no-untyped-call]
    return value, gradient if with_gradient else None


def _is_on_host(scores: Tensor) -> bool:
    """Whether NumPy can see the scores' memory, and nobody asks for more."""
    # Sparse tensors are refused at the boundary.
    is_dense = scores.layout is torch.strided and not scores.is_nested
    return (
        is_plain(scores)
        and is_dense
        and scores.is_cpu
        and not scores.is_neg()
        and scores.dtype in (torch.float32, torch.float64)
    )
