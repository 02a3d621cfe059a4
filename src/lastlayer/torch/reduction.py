"""Row losses in torch → mean, sum, none or parts; and each row's part of the mean's denominator, from the labels alone."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.losses import LossOptions


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
