"""One loss per row → what was asked for: mean, sum, none, or the parts of a mean."""

from __future__ import annotations

from typing import Any

from lastlayer.mappings.double_double import extended_sum, plain_sum

Array = Any
Namespace = Any


def reduce_losses(losses: Array, denominators: Array, reduction: str, xp: Namespace) -> Any:
    """Losses of any shape, reduced; each row has its part of the mean's denominator."""
    if reduction == "none":
        return losses
    total = extended_sum(xp.reshape(losses, (-1,)), xp)
    if reduction == "sum":
        return total
    return reduce_total(total, plain_sum(xp.reshape(denominators, (-1,)), xp), reduction, xp)


def reduce_total(total: Any, denominator: Any, reduction: str, xp: Namespace | None = None) -> Any:
    """Total and denominator, as Python's numbers or as arrays of `xp`, reduced: "sum", "mean", or the "parts" themselves."""
    if reduction == "parts":
        return total, denominator
    return total if reduction == "sum" else total / divisor(denominator, xp)


def divisor(denominator: Any, xp: Namespace | None = None) -> Any:
    """The denominator of a mean, and 1 if nothing counts: the mean of nothing is 0."""
    if xp is None:
        return denominator if denominator != 0.0 else 1.0
    return xp.where(denominator == 0, denominator + 1.0, denominator)


def reduction_scale(denominators: Array, reduction: str, xp: Namespace) -> Any:
    """What every row's gradient is multiplied by: one over the denominator for the mean, one otherwise."""
    return 1.0 / divisor(plain_sum(xp.reshape(denominators, (-1,)), xp), xp) if reduction == "mean" else 1.0
