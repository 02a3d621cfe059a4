"""The records' formulas on any array library: they serve everything that no kernel serves."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from lastlayer.backends.contract import Backend
from lastlayer.losses import LossOptions, reduce_losses, reduction_scale, row_losses
from lastlayer.mappings import Point, ProbabilityMapping

Array = Any
Namespace = Any


def working_dtype(scores: Array, xp: Namespace) -> Any:
    """float64 if the library and the device have it, else float32 (JAX without x64); never a half type."""
    available = xp.__array_namespace_info__().dtypes(kind="real floating")
    return available.get("float64", xp.float32)


def loss_dtype(scores: Array, xp: Namespace) -> Any:
    """The dtype of a loss: float64 for float64 scores, float32 for float32 and the half types."""
    return scores.dtype if scores.dtype == xp.float64 else xp.float32


def portable_evaluate(
    mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None, xp: Namespace | None = None
) -> Array:
    """The record's formula in the working dtype, rounded once to the scores' dtype. `out` is left to the caller."""
    xp = xp or array_namespace(scores)
    # Overflow, 0/0 and log 0 happen in branches that are not selected, and at edges whose result is defined.
    with np.errstate(all="ignore"):
        point: Point = mapping.at(xp.astype(scores, working_dtype(scores, xp)), xp)
        return xp.astype(getattr(point, quantity)(), scores.dtype)


def portable_loss(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Array | None = None,
    xp: Namespace | None = None,
) -> tuple[Any, Array | None]:
    """The record's loss, reduced, and its gradient, in the working dtype, each rounded once. `out` is left to the caller."""
    xp = xp or array_namespace(scores)
    with np.errstate(all="ignore"):
        wide = xp.astype(scores, working_dtype(scores, xp))
        rows = row_losses(mapping, wide, targets, is_soft, options, xp, with_gradient)
        reduced, dtype = reduce_losses(rows.losses, rows.denominators, options.reduction, xp), loss_dtype(scores, xp)
        is_parts = isinstance(reduced, tuple)
        loss = tuple(xp.astype(part, dtype) for part in reduced) if is_parts else xp.astype(reduced, dtype)
        if rows.gradient is None:
            return loss, None
        scale = reduction_scale(rows.denominators, options.reduction, xp)
        return loss, xp.astype(rows.gradient * scale, scores.dtype)


def portable_pull_back(
    mapping: ProbabilityMapping, scores: Array, cotangent: Array, quantity: str, xp: Namespace
) -> Array:
    """The record's vector–Jacobian product: the cotangent of a quantity → that of the scores, rounded once to their dtype."""
    wide = xp.astype(scores, working_dtype(scores, xp))
    point, cotangent = mapping.at(wide, xp), xp.astype(cotangent, wide.dtype)
    if quantity == "probabilities":
        product = point.vjp(cotangent)
    elif quantity == "log_probabilities":
        product = point.log_vjp(cotangent)
    else:
        product = cotangent[..., None] * point.partition_gradient()
    return xp.astype(product, scores.dtype)


PORTABLE = Backend(
    name="portable",
    evaluate=portable_evaluate,
    loss=portable_loss,
    serves=lambda mapping, scores, quantity: "portable formulas",
    namespace=array_namespace,
)
