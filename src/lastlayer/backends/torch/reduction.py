"""Row losses in torch → mean, sum, none or parts, and how backward scales a kept gradient."""

from __future__ import annotations

import math
from typing import Any

import torch

from lastlayer.backends.torch.tensor_state import is_untransformed
from lastlayer.losses import LossOptions, divisor, reduce_total


def row_denominators(targets: torch.Tensor, is_soft: bool, options: LossOptions) -> torch.Tensor:
    """Each row's part of the mean's denominator, float64: its sample weight times its label's class weight.

    As in torch, the mean over soft targets divides by the number of rows, whatever the class weights. A label out of range is
    never used as an index.
    """
    is_counted = None if is_soft else targets != options.ignore_index
    if is_counted is None:
        counts = torch.ones(targets.shape[:-1], dtype=torch.float64, device=targets.device)
    elif options.weight is None:
        counts = is_counted.double()
    else:
        counts = options.weight.double()[targets.long().clamp(0, options.weight.shape[0] - 1)]
        counts = torch.where(is_counted, counts, 0.0)
    return counts if options.sample_weight is None else counts * options.sample_weight


def is_finite(upstream: torch.Tensor) -> bool:
    """Whether the upstream gradient is finite, as far as the host may look: then it does no harm to any row."""
    if not upstream.is_cpu or torch.is_grad_enabled() or not is_untransformed(upstream):
        return False
    return math.isfinite(float(upstream if upstream.ndim == 0 else upstream.sum()))


def times_upstream(
    gradient: torch.Tensor, upstream: torch.Tensor, is_counted: torch.Tensor | None = None
) -> torch.Tensor:
    """The kept gradient (..., K) times the upstream gradient: one number, or one per row.

    A row that does not count keeps gradient 0 even if inf or NaN arrives: 0 · inf would be NaN. Its kept gradient is 0, so it is
    enough to replace its upstream gradient by 0, which needs no pass over the scores. Without `is_counted`, upstream is finite.
    """
    factor = upstream if is_counted is None else torch.where(is_counted, upstream, 0.0)
    if factor.ndim == 0 and gradient.ndim > 1:
        return gradient * factor
    factor = factor[..., None]
    if torch.is_grad_enabled() or not is_untransformed(factor) or not is_untransformed(gradient):
        return (gradient * factor).to(gradient.dtype)
    # A half type times float32 would be stored in float32 first.
    return torch.mul(gradient, factor, out=torch.empty_like(gradient))


def inverse(denominator: torch.Tensor) -> torch.Tensor:
    """1 / denominator, and 1 if nothing counts."""
    return divisor(denominator, torch).reciprocal()


def reduce_rows(losses: torch.Tensor, denominators: torch.Tensor, reduction: str) -> Any:
    """Losses (N,), summed in float64 and rounded once to their dtype."""
    if reduction == "none":
        return losses
    reduced = reduce_total(losses.sum(dtype=torch.float64), denominators.sum(), reduction, torch)
    if isinstance(reduced, tuple):
        return tuple(part.to(losses.dtype) for part in reduced)
    return reduced.to(losses.dtype)
