"""One loss a row → what was asked for: mean, sum, none, or the parts of a mean."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.double_double import extended_sum, plain_sum

Array = Any
Namespace = Any


def reduce_losses(losses: Array, denominators: Array, reduction: str, xp: Namespace) -> Any:
    """Reduce losses of any shape. The mean of nothing is 0; parts are (total, denominator)."""
    if reduction == "none":
        return losses
    total = extended_sum(xp.reshape(losses, (-1,)), xp)
    if reduction == "sum":
        return total
    denominator = plain_sum(xp.reshape(denominators, (-1,)), xp)
    if reduction == "parts":
        return total, denominator
    return xp.where(denominator > 0, total / xp.where(denominator > 0, denominator, denominator + 1.0), total)


def reduction_scale(denominators: Array, reduction: str, xp: Namespace) -> Any:
    """What every row's gradient is multiplied by: one over the denominator for the mean, one otherwise."""
    if reduction != "mean":
        return 1.0
    denominator = plain_sum(xp.reshape(denominators, (-1,)), xp)
    return 1.0 / xp.where(denominator > 0, denominator, denominator + 1.0)
