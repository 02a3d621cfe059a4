"""`lastlayer::unit_rows`: rows x / ‖x‖, and their derivative (g − u (u·g)) / ‖x‖, computed in float64 and rounded once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from lastlayer.backends.torch.operators.transforms import all_at_once, differentiable

Tensor = torch.Tensor

#: Bytes of the float64 copy of some rows: on the CPU it stays in a core's cache.
_CHUNK, _CHUNK_ON_DEVICE = 2**19, 2**26


def unit_rows(x: Tensor, *, is_wide: bool = False) -> Tensor:
    """Rows (..., D) of length 1, of x's dtype; with `is_wide` of float32 at least.

    A row of zeros stays zero and has gradient 0. A row with inf or NaN has no direction: it becomes NaN. A row without a gradient
    from upstream has none, whatever is in it.
    """
    found: Tensor = _differentiable_unit_rows(x, is_wide)
    return found


def parts_of(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """u = x / ‖x‖ of float64 rows, and two factors of ‖x‖: the largest |x|, a constant, and the norm after division by it.

    The squares of the divided entries neither overflow nor vanish. Both factors are 1 for a row of zeros.
    """
    largest = x.detach().abs().amax(-1, keepdim=True)
    largest = torch.where(largest == 0, 1.0, largest)
    divided = x / largest
    squares = (divided * divided).sum(-1, keepdim=True)
    norm = torch.where(squares == 0, 1.0, squares).sqrt()
    return divided / norm, largest, norm


def chunks(rows: Tensor) -> Iterator[slice]:
    """Some of the rows (N, D) at a time."""
    count, features = rows.shape
    room = _CHUNK if rows.device.type == "cpu" else _CHUNK_ON_DEVICE
    height = max(1, room // (8 * max(1, features)))
    return (slice(start, start + height) for start in range(0, count, height))


def _pulled_back(upstream: Tensor, x: Tensor) -> Tensor:
    """The gradient in float64 rows x from that in x / ‖x‖."""
    u, largest, norm = parts_of(x)
    across = upstream - u * (u * upstream).sum(-1, keepdim=True)
    # NaN stays without effect where nothing arrives, and a row of zeros has no direction to change.
    has_none = (upstream == 0).all(-1, keepdim=True) | (x == 0).all(-1, keepdim=True)
    return torch.where(has_none, 0.0, across / norm / largest)


@torch.library.custom_op("lastlayer::unit_rows", mutates_args=(), schema="(Tensor x, bool is_wide) -> Tensor")
def _unit_rows(x: Tensor, is_wide: bool) -> Tensor:
    return _by_rows(lambda part: parts_of(part)[0], _result(x, is_wide), x)


@torch.library.custom_op(
    "lastlayer::unit_rows_backward", mutates_args=(), schema="(Tensor upstream, Tensor x) -> Tensor"
)
def _unit_rows_backward(upstream: Tensor, x: Tensor) -> Tensor:
    return _by_rows(_pulled_back, x.new_empty(x.shape), upstream, x)


def _by_rows(function: Any, out: Tensor, *tensors: Tensor) -> Tensor:
    """function(float64 rows of each tensor) → rows of `out`, some at a time."""
    features = out.shape[-1]
    if not features:
        return out
    count = math.prod(out.shape[:-1])
    flat, rows = out.view(count, features), [x.reshape(count, features) for x in tensors]
    for place in chunks(flat):
        flat[place] = function(*(x[place].double() for x in rows))
    return out


def _result(x: Tensor, is_wide: bool) -> Tensor:
    return x.new_empty(x.shape, dtype=torch.promote_types(x.dtype, torch.float32) if is_wide else x.dtype)


@_unit_rows.register_fake
def _(x: Tensor, is_wide: bool) -> Tensor:
    return _result(x, is_wide)


@_unit_rows_backward.register_fake
def _(upstream: Tensor, x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])


def _backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    return _differentiable_pull_back(upstream, *ctx.saved_tensors), None


def _keep_both(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _second(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    def function(upstream: Tensor, x: Tensor) -> Tensor:
        return _pulled_back(upstream.double(), x.double()).to(x.dtype)

    found: tuple[Any, ...] = torch.func.vjp(function, *ctx.saved_tensors)[1](cotangent)
    return found


_differentiable_unit_rows = differentiable(_unit_rows, _keep, _backward, all_at_once)
_differentiable_pull_back = differentiable(_unit_rows_backward, _keep_both, _second, all_at_once)
