"""`lastlayer::evaluate`: probabilities, their logarithms or the log-partition of every row, differentiable any number of times.

Backward is the record's own vector–Jacobian product: differentiating through the formulas would give NaN where they
select between branches, and rounding where they compensate. Its derivative in turn goes through that product's formula.
"""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.dispatch import working_dtype
from lastlayer.torch.operators.transforms import all_at_once, differentiable
from lastlayer.torch.products import keeps_result, pull_back, pull_back_kept, pull_back_result
from lastlayer.torch.records import record_of
from lastlayer.torch.rows import evaluate_rows

Tensor = torch.Tensor

_NAMED = "Tensor? parameter, str mapping, str quantity"


def _evaluate(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    """A quantity of every row of scores (..., K)."""
    return evaluate_rows(record_of(mapping, parameter), scores, quantity).contiguous()


def _pull_back(
    cotangent: Tensor, kept: Tensor, parameter: Tensor | None, mapping: str, quantity: str, is_result: bool
) -> Tensor:
    """The cotangent of a quantity pulled back to the scores, from the quantity itself or from the scores."""
    return pull_back_kept(record_of(mapping, parameter), kept, cotangent, quantity, is_result).contiguous()


evaluate = torch.library.custom_op(
    "lastlayer::evaluate", _evaluate, mutates_args=(), schema=f"(Tensor scores, {_NAMED}) -> Tensor"
)
evaluate_backward = torch.library.custom_op(
    "lastlayer::evaluate_backward",
    _pull_back,
    mutates_args=(),
    schema=f"(Tensor cotangent, Tensor kept, {_NAMED}, bool is_result) -> Tensor",
)


@evaluate.register_fake
def _(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    return scores.new_empty(scores.shape[:-1] if quantity == "log_partition" else scores.shape)


@evaluate_backward.register_fake
def _(
    cotangent: Tensor, kept: Tensor, parameter: Tensor | None, mapping: str, quantity: str, is_result: bool
) -> Tensor:
    return kept.new_empty(kept.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    scores, parameter, ctx.mapping, ctx.quantity = inputs
    ctx.is_result = keeps_result(record_of(ctx.mapping, parameter), scores, ctx.quantity)
    ctx.save_for_backward(output if ctx.is_result else scores, parameter)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    (kept, parameter), (wants_scores, wants_parameter) = ctx.saved_tensors, ctx.needs_input_grad[:2]
    in_scores = in_parameter = None
    if wants_scores:
        in_scores = product_of_quantity(cotangent, kept, parameter, ctx.mapping, ctx.quantity, ctx.is_result)
    if wants_parameter:
        in_parameter = _products_by_parameter(cotangent, kept, parameter, ctx.mapping, ctx.quantity)[1]
    return in_scores, in_parameter, None, None


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    cotangent, kept, parameter, ctx.mapping, ctx.quantity, ctx.is_result = inputs
    ctx.save_for_backward(cotangent, kept, parameter)


def _second(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
    first, kept, parameter = ctx.saved_tensors
    record, quantity = record_of(ctx.mapping, parameter), ctx.quantity
    if parameter is not None:

        def product(v: Tensor, x: Tensor, a: Tensor) -> Tensor:
            return _products_by_parameter(v, x, a, ctx.mapping, quantity)[0]

        return *torch.func.vjp(product, first, kept, parameter)[1](cotangent), None, None, None
    if ctx.is_result:
        # What flows to the result reaches the scores through the forward pass.
        pull = torch.func.vjp(lambda v, p: pull_back_result(p, v, quantity), first, kept)[1]
    else:
        pull = torch.func.vjp(lambda v, x: pull_back(record, x, v, quantity), first, kept)[1]
    return *pull(cotangent), None, None, None, None


def _products_by_parameter(
    cotangent: Tensor, scores: Tensor, parameter: Tensor, mapping: str, quantity: str
) -> tuple[Tensor, Tensor]:
    """The cotangent of a quantity pulled back to the scores and to the parameter of each row; torch can differentiate it.

    Both follow from p: with s the record's tangent, c = ∂log p/∂α at a fixed threshold and Σp = 1, the threshold moves by
    −Σpc / Σs (Correia, Niculae & Martins 2019, section 3.1). Of the log-partition it is the envelope theorem.
    """
    wide = working_dtype(scores, xp)
    alpha, v = parameter.to(wide), cotangent.to(wide)
    record = record_of(mapping, alpha)
    p: Tensor = quantity_of_rows(scores.to(wide), alpha, mapping, "probabilities")
    assert record.tangent is not None
    assert record.parameter_slope is not None
    assert record.regularizer_slope is not None
    if quantity == "log_partition":
        in_scores, in_parameter = v[..., None] * p, -v * record.regularizer_slope(p, xp, **record.values)
        return in_scores.to(scores.dtype), in_parameter.to(parameter.dtype)
    s, c = record.tangent(p, xp, **record.values), record.parameter_slope(p, xp, **record.values)
    if quantity == "log_probabilities":
        # A class off the support has log p = −inf in a neighbourhood: flat, so it contributes nothing.
        inside = (v != 0) & (p != 0)
        pulled = torch.where(inside, v * s / torch.where(p == 0, 1.0, p), 0.0)
        moved = torch.where(inside, v * c, 0.0).sum(-1)
    else:
        pulled, moved = v * s, (v * p * c).sum(-1)
    share = pulled.sum(-1, keepdim=True) / s.sum(-1, keepdim=True)
    in_scores, in_parameter = pulled - s * share, moved - share[..., 0] * (p * c).sum(-1)
    return in_scores.to(scores.dtype), in_parameter.to(parameter.dtype)


quantity_of_rows = differentiable(evaluate, _keep, _backward, all_at_once, _evaluate)
product_of_quantity = differentiable(evaluate_backward, _keep_product, _second, all_at_once, _pull_back)
