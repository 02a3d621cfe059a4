"""Vector–Jacobian products (vjp) of rows from the kernels' results, and by the record's formulas without kernels.

The formulas take a hundred array operations to carry every rounding error; a kernel's result and a few more are as accurate.
- Normalized family: the gradient of the log loss is linear in its targets. With the cotangents v of log p as soft targets its
  negative is Σᵢ vᵢ ∂log pᵢ/∂xₖ. Σᵢ vᵢ ∂pᵢ/∂xₖ is the same at p·v if no p is zero.
- A record with a `tangent` s(p): the Jacobian of p is diag(s) − s sᵀ / Σs.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.backends.portable import portable_pull_back, working_dtype
from lastlayer.backends.torch import cpu
from lastlayer.backends.torch.rows import evaluate_rows, has_kernels, loss_rows
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

Tensor = torch.Tensor


def keeps_result(mapping: ProbabilityMapping, scores: Tensor, quantity: str) -> bool:
    """Whether backward needs the quantity alone, not the scores: softmax and log_softmax in float32 and float64.

    It is faster and holds one copy of the scores less; docs/accuracy.md says what it costs in accuracy.
    """
    # A probability at the edge of a support has few digits.
    is_known = mapping.tangent is not None and mapping.family == "normalized" and scores.dtype.itemsize >= 4
    is_served = quantity == "probabilities" or (
        quantity == "log_probabilities" and _has_softmax_kernel(mapping, scores)
    )
    return is_known and is_served and has_kernels(mapping, scores)


def _has_softmax_kernel(mapping: ProbabilityMapping, scores: Tensor) -> bool:
    return mapping.name == "softmax" and scores.device.type == "cpu"


def pull_back_kept(
    mapping: ProbabilityMapping, kept: Tensor, cotangent: Tensor, quantity: str, is_result: bool
) -> Tensor:
    """The cotangent of a quantity pulled back to the scores, from what forward kept: the quantity itself or the scores."""
    if not is_result:
        return pull_back_rows(mapping, kept, cotangent, quantity)
    if quantity == "log_probabilities":
        return cpu.pull_back_logarithms(kept, cotangent)
    return _of_tangent(mapping, kept, cotangent, quantity)


def pull_back_rows(mapping: ProbabilityMapping, scores: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    """The cotangent of a quantity of every row pulled back to its scores, without gradient tracking."""
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if not has_kernels(mapping, wide):
        return portable_pull_back(mapping, scores, cotangent, quantity, xp)
    is_normalized = mapping.family == "normalized"
    if quantity == "log_probabilities" and is_normalized:
        return _of_logarithms(mapping, wide, cotangent.to(wide.dtype)).to(scores.dtype)
    if mapping.tangent is None:
        if quantity != "probabilities" or "full_support" not in mapping.laws:
            return portable_pull_back(mapping, scores, cotangent, quantity, xp)
        p = evaluate_rows(mapping, wide, "probabilities")
        return _of_logarithms(mapping, wide, p * cotangent.to(p.dtype)).to(scores.dtype)
    # In float64 if the support has an edge: a probability near it has few significant digits, and s / p even fewer.
    p = evaluate_rows(mapping, wide if is_normalized else wide.double(), "probabilities")
    if quantity == "log_partition":
        return (cotangent.to(p.dtype)[..., None] * p).to(scores.dtype)
    return _of_tangent(mapping, p, cotangent.to(p.dtype), quantity).to(scores.dtype)


def _of_logarithms(mapping: ProbabilityMapping, scores: Tensor, cotangent: Tensor) -> Tensor:
    options = LossOptions(reduction="sum")
    gradient = loss_rows(mapping, scores, cotangent, True, options, True, gradient_scale=-1.0)[1]
    assert gradient is not None
    return gradient


def _of_tangent(mapping: ProbabilityMapping, p: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    assert mapping.tangent is not None
    s = mapping.tangent(p, xp, **mapping.values)
    if quantity == "probabilities" and s.device.type == "cpu":
        return cpu.pull_back(s, cotangent)
    total = _sum(s)
    if quantity == "log_probabilities":
        # A class off the support has log p = −inf in a neighbourhood: flat, so it contributes nothing.
        pulled = torch.where((cotangent != 0) & (p != 0), cotangent * s / p, s * 0.0)
        return pulled - s * (_sum(pulled) / torch.where(total <= 0, 1.0, total))
    return s * (cotangent - _sum(s * cotangent) / torch.where(total <= 0, 1.0, total))


def _sum(terms: Tensor) -> Tensor:
    """Σ over the classes, of shape (..., 1)."""
    return terms.sum(-1, keepdim=True)


def pull_back_result(result: Tensor, cotangent: Tensor, quantity: str) -> Tensor:
    """The vector–Jacobian product of softmax and log_softmax as a function of their result; torch can differentiate it."""
    wide = result.to(working_dtype(result, xp))
    v = cotangent.to(wide.dtype)
    product = wide * (v - _sum(wide * v)) if quantity == "probabilities" else v - torch.exp(wide) * _sum(v)
    return product.to(result.dtype)
