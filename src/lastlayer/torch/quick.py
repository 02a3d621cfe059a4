"""Small eager problems: what autograd needs of a plain CPU tensor, in a fraction of the usual questions' time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lastlayer import dispatch
from lastlayer.functions.names import resolve_mapping
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.operators import flatten, product_of_loss, product_of_quantity
from lastlayer.torch.plain import is_plain, is_tracked
from lastlayer.torch.products import keeps_result, pull_back_rows
from lastlayer.torch.records import key_of

Tensor = torch.Tensor


class _Quick(torch.autograd.Function):
    """A result that is there already, and what pulls a cotangent of it back to the scores."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, result: tuple[Tensor], kept: tuple[Tensor | None, ...], pull_back: Callable[..., Any]
    ) -> Tensor:
        # Saved, so that whoever keeps the result does not keep what belongs to it beyond backward.
        ctx.save_for_backward(scores, *kept)
        ctx.pull_back = pull_back
        return result[0]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.pull_back(cotangent, *ctx.saved_tensors), None, None, None


def evaluate_quickly(mapping: str | ProbabilityMapping, scores: Tensor, quantity: str, on_domain: str) -> Tensor | None:
    """A quantity of every row of float32 or float64 scores; None where there is more to ask."""
    if not _is_on_host(scores):
        return None
    found = dispatch.evaluate_quickly(mapping, scores.detach().numpy(), quantity, on_domain)
    if found is None:
        return None
    result = torch.from_numpy(found)
    if not is_tracked(scores):
        return result
    record = resolve_mapping(mapping)
    kept = result if keeps_result(record, scores, quantity) else None
    return _Quick.apply(scores, (result,), (kept,), partial(_pull_back, record, quantity))  # type: ignore[no-untyped-call]


def _pull_back(
    mapping: ProbabilityMapping, quantity: str, cotangent: Tensor, scores: Tensor, result: Tensor | None
) -> Tensor:
    if torch.is_grad_enabled() or not is_plain(cotangent):
        return product_of_quantity(cotangent, scores, result, None, key_of(mapping), quantity)
    return pull_back_rows(mapping, scores, cotangent, quantity, result)


def loss_quickly(
    mapping: str | ProbabilityMapping,
    scores: Tensor,
    targets: Any,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
) -> tuple[Any, Tensor | None] | None:
    """Loss and gradient of (N, K) float32 or float64 scores and labels without weights; None where there is more to ask."""
    if (
        not _is_on_host(scores)
        or type(targets) is not Tensor
        or not targets.is_cpu
        or scores.ndim != 2
        or targets.dtype != torch.int64
        or options.sample_weight is not None
        or options.reduction == "parts"
    ):
        return None
    tracked = is_tracked(scores) and not with_gradient
    found = dispatch.loss_quickly(
        mapping, scores.detach().numpy(), targets.numpy(), options, on_domain, with_gradient or tracked, None
    )
    if found is None:
        return None
    value = torch.from_numpy(found[0])
    gradient = None if found[1] is None else torch.from_numpy(found[1])
    if tracked:
        value = _Quick.apply(scores, (value,), (targets, gradient), partial(_scale, mapping, options))  # type: ignore[no-untyped-call]
    return value, gradient if with_gradient else None


def _scale(
    mapping: str | ProbabilityMapping,
    options: LossOptions,
    upstream: Tensor,
    scores: Tensor,
    targets: Tensor,
    gradient: Tensor,
) -> Tensor:
    if torch.is_grad_enabled():
        return product_of_loss(upstream, gradient, scores, *flatten(resolve_mapping(mapping), targets, options))
    return gradient * (upstream[..., None] if options.reduction == "none" else upstream)


def _is_on_host(scores: Tensor) -> bool:
    """Whether NumPy can see the scores' memory, and nobody asks for more."""
    # Sparse tensors are refused at the boundary.
    is_dense = scores.layout is torch.strided and not scores.is_nested
    return (
        is_plain(scores)
        and is_dense
        and scores.is_cpu
        and not scores.is_neg()
        and scores.dtype in (torch.float32, torch.float64)
    )
