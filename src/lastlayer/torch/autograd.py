"""Autograd for torch tensors: forward by the kernels or the formulas, backward by the record's own vector–Jacobian products.

Differentiating through the formulas would give NaN where they select between branches, and rounding where they compensate.
"""

from __future__ import annotations

from typing import Any

import torch
from array_api_compat import array_namespace

from lastlayer.dispatch import Implementation, Request, loss_dtype, working_dtype
from lastlayer.losses import LossOptions, reduction_scale, row_losses
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.cpu import evaluate_tensor, loss_of_tensor

#: The product of each quantity, as a method of `Point`; the log-partition's is its gradient times the cotangent.
_PRODUCTS = {"probabilities": "vjp", "log_probabilities": "log_vjp"}


class _Evaluate(torch.autograd.Function):
    """A quantity of a mapping at scores."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, mapping: ProbabilityMapping, quantity: str) -> torch.Tensor:
        ctx.save_for_backward(scores)
        ctx.mapping, ctx.quantity = mapping, quantity
        return evaluate_tensor(mapping, scores, quantity)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (scores,) = ctx.saved_tensors
        xp = array_namespace(scores)
        wide = scores.to(working_dtype(scores, xp))
        point = ctx.mapping.at(wide, xp)
        cotangent = cotangents[0].to(wide.dtype)
        if ctx.quantity == "log_partition":
            gradient = cotangent[..., None] * point.partition_gradient()
        else:
            gradient = getattr(point, _PRODUCTS[ctx.quantity])(cotangent)
        return gradient.to(scores.dtype), None, None


class _Loss(torch.autograd.Function):
    """A loss, its gradient computed in the same pass and kept for backward; recomputed where backward is differentiated."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: torch.Tensor,
        targets: torch.Tensor,
        mapping: ProbabilityMapping,
        is_soft: bool,
        options: LossOptions,
    ) -> Any:
        loss, gradient = loss_of_tensor(mapping, scores, targets, is_soft, options, ctx.needs_input_grad[0])
        ctx.save_for_backward(scores, targets, gradient)
        ctx.mapping, ctx.is_soft, ctx.options = mapping, is_soft, options
        if isinstance(loss, tuple):
            ctx.mark_non_differentiable(loss[1])
        return loss

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        scores, targets, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            gradient = _differentiable_gradient(ctx, scores, targets)
        upstream = cotangents[0][..., None] if ctx.options.reduction == "none" else cotangents[0]
        return (gradient * upstream).to(scores.dtype), None, None, None, None


def _differentiable_gradient(ctx: Any, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    xp = array_namespace(scores)
    wide = scores.to(working_dtype(scores, xp))
    rows = row_losses(ctx.mapping, wide, targets, ctx.is_soft, ctx.options, xp, with_gradient=True)
    gradient: torch.Tensor = rows.gradient * reduction_scale(rows.denominators, ctx.options.reduction, xp)
    return gradient.to(loss_dtype(scores, xp))


def _loss(
    mapping: ProbabilityMapping,
    scores: torch.Tensor,
    targets: torch.Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: torch.Tensor | None = None,
) -> tuple[Any, Any]:
    if is_soft and targets.requires_grad:
        raise TypeError("soft targets are constants here: their gradient is not computed; pass targets.detach().")
    if with_gradient:
        return loss_of_tensor(mapping, scores.detach(), targets, is_soft, options, True, out)
    return _Loss.apply(scores, targets, mapping, is_soft, options), None  # type: ignore[no-untyped-call]


def _evaluate(mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str, out: torch.Tensor | None = None) -> Any:
    return _Evaluate.apply(scores, mapping, quantity)  # type: ignore[no-untyped-call]


def _serves(scores: Any, request: Request) -> bool:
    return isinstance(scores, torch.Tensor) and scores.requires_grad and torch.is_grad_enabled()


AUTOGRAD = Implementation(
    name="torch autograd",
    description="torch tensors that require gradients: kernels or formulas forward, exact products backward",
    serves=_serves,
    evaluate=_evaluate,
    loss=_loss,
)
