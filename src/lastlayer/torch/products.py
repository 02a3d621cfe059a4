"""Vector–Jacobian products of rows from what the kernels compute, and by the record's formulas where they do not serve.

The formulas carry every rounding error through a hundred array operations; a kernel's result and a few more do as well:
- Of the normalized family the gradient of the log loss is linear in its targets, so that with the cotangents v of log p as soft
  targets its negative is Σᵢ vᵢ ∂log pᵢ/∂xₖ. And Σᵢ vᵢ ∂pᵢ/∂xₖ is the same at p·v, where no p is zero.
- Of the regularized family the Jacobian of p is diag(s) − s sᵀ / Σs, with s from p alone.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.dispatch import working_dtype
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.rows import evaluate_rows, has_kernels, loss_rows

Tensor = torch.Tensor


def pull_back_rows(mapping: ProbabilityMapping, scores: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    """The cotangent of a quantity of every row pulled back to its scores, without gradient tracking."""
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if not has_kernels(mapping, wide):
        return pull_back(mapping, scores, cotangent, quantity)
    cotangent = cotangent.to(wide.dtype)
    product = None
    if quantity == "log_partition":
        # An exponential g, or a regularizer: the gradient of Z is p.
        if mapping.family == "regularized" or "shift_invariant" in mapping.laws:
            product = cotangent[..., None] * evaluate_rows(mapping, wide, "probabilities")
    elif mapping.family == "regularized":
        if mapping.tangent is not None:
            # In float64: a probability at the edge of the support has few digits of its own, and s / p has fewer.
            p = evaluate_rows(mapping, wide.double(), "probabilities")
            product = _of_tangent(mapping, p, cotangent.double(), quantity)
    elif quantity == "log_probabilities":
        product = _of_logarithms(mapping, wide, cotangent)
    elif "shift_invariant" in mapping.laws and "sums_to_one" in mapping.laws:
        p = evaluate_rows(mapping, wide, "probabilities")
        # p ∘ (v − Σ p v), in one pass.
        product = torch.ops.aten._softmax_backward_data(cotangent, p, -1, p.dtype)
    elif "full_support" in mapping.laws:
        product = _of_logarithms(mapping, wide, evaluate_rows(mapping, wide, "probabilities") * cotangent)
    return pull_back(mapping, scores, cotangent, quantity) if product is None else product.to(scores.dtype)


def _of_logarithms(mapping: ProbabilityMapping, scores: Tensor, cotangent: Tensor) -> Tensor:
    gradient = loss_rows(mapping, scores, cotangent, True, LossOptions(reduction="sum"), True)[1]
    assert gradient is not None
    return -gradient


def _of_tangent(mapping: ProbabilityMapping, p: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    assert mapping.tangent is not None
    s = mapping.tangent(p, xp, **mapping.values)
    total = _sum(s)
    if quantity == "log_probabilities":
        # A class off the support has log p = −inf in a neighbourhood: flat, so it contributes nothing.
        pulled = torch.where((cotangent != 0) & (p != 0), cotangent * s / p, s * 0.0)
        return pulled - s * (_sum(pulled) / torch.where(total <= 0, 1.0, total))
    return s * (cotangent - _sum(s * cotangent) / torch.where(total <= 0, 1.0, total))


def _sum(terms: Tensor) -> Tensor:
    """Σ over the classes, of shape (..., 1)."""
    return terms.sum(-1, keepdim=True)


def pull_back(mapping: ProbabilityMapping, scores: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    """The record's own vector–Jacobian product in the working dtype, rounded once; torch can differentiate it."""
    wide = scores.to(working_dtype(scores, xp))
    point, cotangent = mapping.at(wide, xp), cotangent.to(wide.dtype)
    if quantity == "probabilities":
        product = point.vjp(cotangent)
    elif quantity == "log_probabilities":
        product = point.log_vjp(cotangent)
    else:
        product = cotangent[..., None] * point.partition_gradient()
    result: Tensor = product.to(scores.dtype)
    return result
