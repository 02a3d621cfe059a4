"""`lastlayer::loss`: a reduced loss with its gradient from the same pass, differentiable any number of times.

The gradient is an output as well, so that second derivatives reach the scores through the forward pass.
"""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends.portable import loss_dtype
from lastlayer.backends.torch.operators.arguments import LOSS_SCHEMA, Arguments, is_soft, problem_of
from lastlayer.backends.torch.operators.curvature import Problem, curvature, needs_scores, slope_by_parameter
from lastlayer.backends.torch.operators.transforms import differentiable, one_by_one
from lastlayer.backends.torch.reduction import is_finite, times_upstream
from lastlayer.backends.torch.rows import loss_rows
from lastlayer.losses import counted_rows

Tensor = torch.Tensor

ARGUMENTS = Arguments(f"Tensor scores, {LOSS_SCHEMA}, bool with_gradient")


def _loss(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, the denominator (of parts, else empty) and the gradient in the scores (if asked for, else empty)."""
    given = ARGUMENTS.record(*arguments)
    mapping, targets, options = problem_of(given)
    value, gradient = loss_rows(mapping, given.scores, targets, is_soft(targets), options, given.with_gradient)
    total, denominator = value if isinstance(value, tuple) else (value, given.scores.new_empty(0))
    return total, denominator, given.scores.new_empty(0) if gradient is None else gradient.contiguous()


loss = torch.library.custom_op(
    "lastlayer::loss", _loss, mutates_args=(), schema=f"({ARGUMENTS.schema}) -> (Tensor, Tensor, Tensor)"
)


@loss.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    given = ARGUMENTS.record(*arguments)
    scores, reduction, dtype = given.scores, given.reduction, loss_dtype(given.scores, xp)
    return (
        scores.new_empty(scores.shape[:-1] if reduction == "none" else (), dtype=dtype),
        scores.new_empty((), dtype=dtype) if reduction == "parts" else scores.new_empty(0),
        scores.new_empty(scores.shape if given.with_gradient else (0,)),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.mark_non_differentiable(output[1])
    # Else autograd makes zeros as large as the kept gradient, for the gradient that it does not have.
    ctx.set_materialize_grads(False)
    given = ARGUMENTS.record(*inputs)
    if not needs_scores(given.scores, *problem_of(given)):
        given = given._replace(scores=None)
    tensors, ctx.others = ARGUMENTS.split(given)
    ctx.save_for_backward(output[2], *tensors)


def _backward(ctx: Any, upstream: Tensor | None, _: None, direction: Tensor | None) -> tuple[Any, ...]:
    gradient, *tensors = ctx.saved_tensors
    given, wanted = ARGUMENTS.join(tensors, ctx.others), ARGUMENTS.record(*ctx.needs_input_grad)
    in_scores, in_parameter = pull_back_loss(
        upstream, direction, gradient, given.scores, problem_of(given), (wanted.scores, wanted.parameter)
    )
    return ARGUMENTS.gradients(scores=in_scores, parameter=in_parameter)


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
    is_counted = counted_rows(targets, is_soft(targets), options, mapping.family, xp)
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
