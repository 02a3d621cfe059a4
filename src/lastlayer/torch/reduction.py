"""Row losses in torch → mean, sum, none or parts; which rows count, and how backward leaves out those that do not."""

from __future__ import annotations

import math
from typing import Any

import torch

from lastlayer.losses import LossOptions
from lastlayer.torch.plain import is_plain


def row_denominators(targets: torch.Tensor, is_soft: bool, options: LossOptions) -> torch.Tensor:
    """What each row counts in the mean's denominator, float64: its sample weight times its label's class weight.

    As in torch, the mean over soft targets divides by the rows whatever the class weights. A label out of range is never
    used as an index.
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


def counts(targets: torch.Tensor, is_soft: bool, options: LossOptions, family: str) -> torch.Tensor:
    """Which rows count: false where the label is ignored, or where the row's weight is zero.

    That is its sample weight, and what the class weights leave of its target: in the log loss every class that label smoothing
    reaches has a weight of its own, in a Fenchel–Young loss the row has that of its unsmoothed target. The z-loss of soft targets
    has no class weight. A label out of range counts.
    """
    # Like the targets, which may be sharded.
    is_counted = torch.ones_like(targets[..., 0], dtype=torch.bool) if is_soft else targets != options.ignore_index
    is_spread = family == "normalized" and options.label_smoothing != 0
    if options.weight is not None and not is_spread and not (is_soft and options.z_loss):
        is_counted = is_counted & _has_class_weight(targets, is_soft, options.weight)
    return is_counted if options.sample_weight is None else is_counted & (options.sample_weight != 0)


def _has_class_weight(targets: torch.Tensor, is_soft: bool, weight: torch.Tensor) -> torch.Tensor:
    if is_soft:
        return (targets * weight != 0).any(-1)
    last = weight.shape[0] - 1
    return (targets < 0) | (targets > last) | (weight[targets.clamp(0, last)] != 0)


def is_finite(upstream: torch.Tensor) -> bool:
    """Whether what arrives from upstream is finite, as far as the host may look: then it does no harm to any row."""
    if not upstream.is_cpu or torch.is_grad_enabled() or not is_plain(upstream):
        return False
    return math.isfinite(float(upstream if upstream.ndim == 0 else upstream.sum()))


def times_upstream(
    gradient: torch.Tensor, upstream: torch.Tensor, is_counted: torch.Tensor | None = None
) -> torch.Tensor:
    """The kept gradient (..., K) times what arrives from upstream: one number, or one per row.

    A row that does not count keeps gradient 0, also where inf or NaN arrives: 0 · inf would be NaN. Its kept gradient is 0, so
    it is enough to take 0 for what arrives there, which costs no pass over the scores. Without `is_counted` what arrives is finite.
    """
    factor = upstream if is_counted is None else torch.where(is_counted, upstream, 0.0)
    if factor.ndim == 0 and gradient.ndim > 1:
        return gradient * factor
    factor = factor[..., None]
    if torch.is_grad_enabled() or not is_plain(factor) or not is_plain(gradient):
        return (gradient * factor).to(gradient.dtype)
    # A half type times float32 would be stored in float32 first.
    return torch.mul(gradient, factor, out=torch.empty_like(gradient))


def inverse(denominator: torch.Tensor) -> torch.Tensor:
    """1 / denominator, which is ≥ 0, and 1 where there is nothing to average."""
    return (denominator + (denominator == 0)).reciprocal()


def reduce_rows(losses: torch.Tensor, denominators: torch.Tensor, reduction: str) -> Any:
    """Losses (N,), summed in float64 and rounded once. The mean of nothing is 0; parts are (total, denominator)."""
    if reduction == "none":
        return losses
    total = losses.sum(dtype=torch.float64)
    if reduction == "sum":
        return total.to(losses.dtype)
    denominator = denominators.sum()
    if reduction == "parts":
        return total.to(losses.dtype), denominator.to(losses.dtype)
    return (total * inverse(denominator)).to(losses.dtype)
