"""`lastlayer::loss`: a reduced loss with its gradient from the same pass, kept for backward, differentiable twice."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.dispatch import loss_dtype, working_dtype
from lastlayer.losses import reduction_scale, row_losses
from lastlayer.torch.operators.arguments import COUNT, LOSS_SCHEMA, is_soft, unflatten
from lastlayer.torch.operators.transforms import differentiable, one_by_one
from lastlayer.torch.rows import loss_rows

Tensor = torch.Tensor


def _loss(scores: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, the denominator (of parts, else empty) and the gradient in the scores (where asked for, else empty)."""
    *told, with_gradient = arguments
    mapping, targets, options = unflatten(tuple(told))
    value, gradient = loss_rows(mapping, scores, targets, is_soft(targets), options, with_gradient)
    total, denominator = value if isinstance(value, tuple) else (value, scores.new_empty(0))
    return total, denominator, scores.new_empty(0) if gradient is None else gradient.contiguous()


def _times_upstream(upstream: Tensor, gradient: Tensor, scores: Tensor, *arguments: Any) -> Tensor:
    """The kept gradient times the upstream one; as a function of the scores it is the formulas' gradient."""
    return (gradient * _a_row(upstream, arguments)).to(scores.dtype)


def _a_row(upstream: Tensor, arguments: tuple[Any, ...]) -> Tensor:
    """The upstream gradient as what multiplies scores: one a row where losses were not reduced."""
    return upstream[..., None] if arguments[COUNT - 1] == "none" else upstream


loss = torch.library.custom_op(
    "lastlayer::loss",
    _loss,
    mutates_args=(),
    schema=f"(Tensor scores, {LOSS_SCHEMA}, bool with_gradient) -> (Tensor, Tensor, Tensor)",
)
loss_backward = torch.library.custom_op(
    "lastlayer::loss_backward",
    _times_upstream,
    mutates_args=(),
    schema=f"(Tensor upstream, Tensor gradient, Tensor scores, {LOSS_SCHEMA}) -> Tensor",
)


@loss.register_fake
def _(scores: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    reduction, with_gradient = arguments[-2:]
    dtype = loss_dtype(scores, xp)
    return (
        scores.new_empty(scores.shape[:-1] if reduction == "none" else (), dtype=dtype),
        scores.new_empty((), dtype=dtype) if reduction == "parts" else scores.new_empty(0),
        scores.new_empty(scores.shape if with_gradient else (0,)),
    )


@loss_backward.register_fake
def _(upstream: Tensor, gradient: Tensor, scores: Tensor, *arguments: Any) -> Tensor:
    return scores.new_empty(scores.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, targets, weight, sample_weight, parameter, *ctx.rest, _ = inputs
    ctx.mark_non_differentiable(*output[1:])
    # Else autograd makes zeros as large as the kept gradient, for the gradient that it does not have.
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[2], scores, targets, weight, sample_weight, parameter)


def _backward(ctx: Any, upstream: Tensor | None, *nothing: Any) -> tuple[Any, ...]:
    if upstream is None:
        return (None,) * (COUNT + 2)
    return product_of_loss(upstream, *ctx.saved_tensors, *ctx.rest), *[None] * (COUNT + 1)


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.rest = *inputs[:7], inputs[7:]
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    upstream, _, scores, *tensors = ctx.saved_tensors
    arguments = (*tensors, *ctx.rest)
    mapping, targets, options = unflatten(arguments)

    def product(upstream: Tensor, scores: Tensor) -> Tensor:
        wide = scores.to(working_dtype(scores, xp))
        rows = row_losses(mapping, wide, targets, is_soft(targets), options, xp, with_gradient=True)
        scale = reduction_scale(rows.denominators, options.reduction, xp)
        return (rows.gradient * scale * _a_row(upstream, arguments)).to(scores.dtype)

    pull = torch.func.vjp(product, upstream, scores)[1]
    in_upstream, in_scores = pull(cotangent)
    return in_upstream, None, in_scores, *[None] * COUNT


reduced_loss = differentiable(loss, _keep, _backward, one_by_one, _loss)
product_of_loss = differentiable(loss_backward, _keep_product, _second, one_by_one, _times_upstream)
