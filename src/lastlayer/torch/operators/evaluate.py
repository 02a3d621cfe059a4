"""`lastlayer::evaluate`: probabilities, their logarithms or the log-partition of every row, differentiable twice.

Backward is the record's own vector–Jacobian product: differentiating through the formulas would give NaN where they
select between branches, and rounding where they compensate. The second derivative goes through that product's formula.
"""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.torch.operators.transforms import all_at_once, differentiable
from lastlayer.torch.products import keeps_result, pull_back, pull_back_rows
from lastlayer.torch.records import record_of
from lastlayer.torch.rows import evaluate_rows

Tensor = torch.Tensor

_NAMED = "Tensor? parameter, str mapping, str quantity"


def _evaluate(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    """A quantity of every row of scores (..., K)."""
    return evaluate_rows(record_of(mapping, parameter), scores, quantity).contiguous()


def _pull_back(
    cotangent: Tensor, scores: Tensor, result: Tensor | None, parameter: Tensor | None, mapping: str, quantity: str
) -> Tensor:
    """The cotangent of a quantity pulled back to the scores, of which the quantity itself may be known."""
    return pull_back_rows(record_of(mapping, parameter), scores, cotangent, quantity, result).contiguous()


evaluate = torch.library.custom_op(
    "lastlayer::evaluate", _evaluate, mutates_args=(), schema=f"(Tensor scores, {_NAMED}) -> Tensor"
)
evaluate_backward = torch.library.custom_op(
    "lastlayer::evaluate_backward",
    _pull_back,
    mutates_args=(),
    schema=f"(Tensor cotangent, Tensor scores, Tensor? result, {_NAMED}) -> Tensor",
)


@evaluate.register_fake
def _(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    return scores.new_empty(scores.shape[:-1] if quantity == "log_partition" else scores.shape)


@evaluate_backward.register_fake
def _(
    cotangent: Tensor, scores: Tensor, result: Tensor | None, parameter: Tensor | None, mapping: str, quantity: str
) -> Tensor:
    return scores.new_empty(scores.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    scores, parameter, ctx.mapping, ctx.quantity = inputs
    is_kept = keeps_result(record_of(ctx.mapping, parameter), scores, ctx.quantity)
    ctx.save_for_backward(scores, output if is_kept else None, parameter)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None, None]:
    return product_of_quantity(cotangent, *ctx.saved_tensors, ctx.mapping, ctx.quantity), None, None, None


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    cotangent, scores, _, parameter, ctx.mapping, ctx.quantity = inputs
    ctx.save_for_backward(cotangent, scores, parameter)


def _second(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
    first, scores, parameter = ctx.saved_tensors
    record, quantity = record_of(ctx.mapping, parameter), ctx.quantity
    pull = torch.func.vjp(lambda v, x: pull_back(record, x, v, quantity), first, scores)[1]
    # The result is the scores' own, and has no derivative beside theirs.
    return *pull(cotangent), None, None, None, None


quantity_of_rows = differentiable(evaluate, _keep, _backward, all_at_once, _evaluate)
product_of_quantity = differentiable(evaluate_backward, _keep_product, _second, all_at_once, _pull_back)
