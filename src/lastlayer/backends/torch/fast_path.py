"""Fast path for eager dense CPU tensors: skips the operator layer and most boundary checks."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.backends import numpy_arrays
from lastlayer.backends.torch.operators import needs_scores, product_of_quantity, pull_back_loss
from lastlayer.backends.torch.records import key_of
from lastlayer.backends.torch.tensor_state import is_tracked, is_untransformed
from lastlayer.backends.torch.vjp import keeps_result, pull_back_kept
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

Tensor = torch.Tensor


class _FastQuantity(torch.autograd.Function):
    """A quantity that is computed already, with its vector–Jacobian product."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, found: tuple[Tensor], mapping: ProbabilityMapping, quantity: str) -> Tensor:
        ctx.mapping, ctx.quantity, ctx.is_result = mapping, quantity, keeps_result(mapping, scores, quantity)
        ctx.save_for_backward(found[0] if ctx.is_result else scores)
        return found[0]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        (kept,), mapping, quantity = ctx.saved_tensors, ctx.mapping, ctx.quantity
        if torch.is_grad_enabled() or not is_untransformed(cotangent):
            product = product_of_quantity(cotangent, kept, None, key_of(mapping), quantity, ctx.is_result)
        else:
            product = pull_back_kept(mapping, kept, cotangent, quantity, ctx.is_result)
        return product, None, None, None


class _FastLoss(torch.autograd.Function):
    """A loss and its gradient that are computed already. The gradient is an output, for second derivatives."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        found: tuple[Tensor, Tensor],
        mapping: ProbabilityMapping,
        targets: Tensor,
        options: LossOptions,
    ) -> tuple[Tensor, Tensor]:
        # Else autograd makes zeros as large as the gradient, for a derivative that nobody asks for.
        ctx.set_materialize_grads(False)
        ctx.mapping, ctx.options = mapping, options
        # Saved for backward, so that a loss that is kept does not keep its gradient alive.
        kept = scores if needs_scores(scores, mapping, targets, options) else None
        ctx.save_for_backward(found[1], kept, targets)
        return found

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, direction: Tensor | None) -> tuple[Tensor | None, ...]:
        gradient, scores, targets = ctx.saved_tensors
        problem = ctx.mapping, targets, ctx.options
        return pull_back_loss(upstream, direction, gradient, scores, problem)[0], None, None, None, None


def try_fast_evaluate(
    mapping: str | ProbabilityMapping, scores: Tensor, quantity: str, on_domain: str, out: Tensor | None = None
) -> Tensor | None:
    """A quantity of every row of float32 or float64 scores; None if more has to be checked."""
    if out is not None or not _has_numpy_view(scores):
        return None
    found = numpy_arrays.try_fast_evaluate(mapping, scores.detach().numpy(), quantity, on_domain)
    if found is None:
        return None
    result = torch.from_numpy(found)
    if not is_tracked(scores):
        return result
    return _FastQuantity.apply(scores, (result,), resolve_mapping(mapping), quantity)  # type: ignore[no-untyped-call]


def try_fast_loss(
    mapping: str | ProbabilityMapping,
    scores: Tensor,
    targets: Any,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
    out: Tensor | None = None,
) -> tuple[Any, Tensor | None] | None:
    """Loss and gradient of (N, K) float32 or float64 scores and labels without weights; None if more has to be checked."""
    if (
        out is not None
        or not _has_numpy_view(scores)
        or type(targets) is not Tensor
        or not targets.is_cpu
        or scores.ndim != 2
        or targets.dtype != torch.int64
        or options.sample_weight is not None
        or options.reduction == "parts"
    ):
        return None
    tracked = is_tracked(scores) and not with_gradient
    found = numpy_arrays.try_fast_loss(
        mapping, scores.detach().numpy(), targets.numpy(), options, on_domain, with_gradient or tracked
    )
    if found is None:
        return None
    value = torch.from_numpy(found[0])
    gradient = None if found[1] is None else torch.from_numpy(found[1])
    if tracked:
        record = resolve_mapping(mapping)
        value, _ = _FastLoss.apply(scores, (value, gradient), record, targets, options)  # type: ignore[no-untyped-call]
    return value, gradient if with_gradient else None


def _has_numpy_view(scores: Tensor) -> bool:
    """Whether NumPy can see the scores' memory, and no transform is active."""
    # Sparse tensors are refused at the boundary.
    is_dense = scores.layout is torch.strided and not scores.is_nested
    return (
        is_untransformed(scores)
        and is_dense
        and scores.is_cpu
        and not scores.is_neg()
        and scores.dtype in (torch.float32, torch.float64)
    )
