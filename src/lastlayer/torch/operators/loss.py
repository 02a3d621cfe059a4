"""`lastlayer::loss`: a reduced loss with its gradient from the same pass, kept for backward, differentiable any number of times.

The gradient is an output like the loss, so that second derivatives reach the scores through the forward pass.
"""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.dispatch import loss_dtype
from lastlayer.torch.operators.arguments import COUNT, LOSS_SCHEMA, is_soft, unflatten
from lastlayer.torch.operators.curvature import Problem, curvature, needs_scores, slope_by_parameter
from lastlayer.torch.operators.transforms import differentiable, one_by_one
from lastlayer.torch.reduction import counts, is_finite, times_upstream
from lastlayer.torch.rows import loss_rows

Tensor = torch.Tensor


def _loss(scores: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, the denominator (of parts, else empty) and the gradient in the scores (where asked for, else empty)."""
    *told, with_gradient = arguments
    mapping, targets, options = unflatten(tuple(told))
    value, gradient = loss_rows(mapping, scores, targets, is_soft(targets), options, with_gradient)
    total, denominator = value if isinstance(value, tuple) else (value, scores.new_empty(0))
    return total, denominator, scores.new_empty(0) if gradient is None else gradient.contiguous()


loss = torch.library.custom_op(
    "lastlayer::loss",
    _loss,
    mutates_args=(),
    schema=f"(Tensor scores, {LOSS_SCHEMA}, bool with_gradient) -> (Tensor, Tensor, Tensor)",
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


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, targets, weight, sample_weight, parameter, *ctx.rest, _ = inputs
    ctx.mark_non_differentiable(output[1])
    # Else autograd makes zeros as large as the kept gradient, for the gradient that it does not have.
    ctx.set_materialize_grads(False)
    arguments = (targets, weight, sample_weight, parameter, *ctx.rest)
    kept = scores if needs_scores(scores, *unflatten(arguments)) else None
    ctx.save_for_backward(output[2], kept, *arguments[:4])


def _backward(ctx: Any, upstream: Tensor | None, _: None, direction: Tensor | None) -> tuple[Any, ...]:
    gradient, scores, *tensors = ctx.saved_tensors
    wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[4]
    problem = unflatten((*tensors, *ctx.rest))
    in_scores, in_parameter = pull_back_loss(upstream, direction, gradient, scores, problem, wanted)
    return in_scores, None, None, None, in_parameter, *[None] * (COUNT - 3)


def pull_back_loss(
    upstream: Tensor | None,
    direction: Tensor | None,
    gradient: Tensor,
    scores: Tensor | None,
    problem: Problem,
    wanted: tuple[bool, bool] = (True, False),
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients in the scores and in the parameter of each row: of the loss times `upstream`, and of the loss's gradient
    times `direction`.
    """
    if direction is None and upstream is not None and not wanted[1] and is_finite(upstream):
        return times_upstream(gradient, upstream), None
    mapping, targets, options = problem
    is_counted = counts(targets, is_soft(targets), options, mapping.family)
    in_scores = in_parameter = None
    if upstream is not None and wanted[0]:
        in_scores = times_upstream(gradient, upstream, is_counted)
    if upstream is not None and wanted[1]:
        assert scores is not None
        in_parameter = slope_by_parameter(upstream, scores, is_counted, problem)
    if direction is not None:
        second, mixed = curvature(direction, gradient, scores, is_counted, problem)
        in_scores, in_parameter = _plus(in_scores, second), _plus(in_parameter, mixed)
    return in_scores, in_parameter


def _plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


reduced_loss = differentiable(loss, _keep, _backward, one_by_one, _loss)
