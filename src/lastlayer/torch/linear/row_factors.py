"""`lastlayer::scaled`: x · factor or x / divisor; what nothing reaches from upstream has no part in either gradient, even NaN."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.backends.torch.operators.transforms import differentiable, one_by_one

Tensor = torch.Tensor


def times(x: Tensor, factor: float | Tensor) -> Tensor:
    """x · factor, of shapes that broadcast; a factor that is a tensor has a gradient."""
    found: Tensor = _differentiable(x, factor, False) if isinstance(factor, torch.Tensor) else x * factor
    return found


def over(x: Tensor, divisor: Tensor) -> Tensor:
    """x / divisor, of shapes that broadcast; both have gradients."""
    found: Tensor = _differentiable(x, divisor, True)
    return found


def _compute(x: Tensor, factor: Tensor, divides: bool) -> Tensor:
    return x / factor if divides else x * factor


@torch.library.custom_op(
    "lastlayer::scaled", mutates_args=(), schema="(Tensor x, Tensor factor, bool divides) -> Tensor"
)
def _scaled(x: Tensor, factor: Tensor, divides: bool) -> Tensor:
    return _compute(x, factor, divides)


_scaled.register_fake(_compute)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.divides = inputs[2]


def _backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """By torch's own operations, which have second derivatives."""
    x, factor = ctx.saved_tensors
    in_x = in_factor = None
    if ctx.needs_input_grad[0]:
        in_x = _compute(upstream, factor, ctx.divides).sum_to_size(x.shape).to(x.dtype)
    if ctx.needs_input_grad[1]:
        # Finite numbers stay, since 0 · x is 0 without help: second derivatives need them.
        finite = torch.where((upstream == 0) & ~x.isfinite(), 0.0, x)
        each = -(upstream * (finite / factor)) / factor if ctx.divides else upstream * finite
        in_factor = each.sum_to_size(factor.shape).to(factor.dtype)
    return in_x, in_factor, None


_differentiable = differentiable(_scaled, _keep, _backward, one_by_one, _compute)
