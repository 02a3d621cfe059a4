"""`lastlayer::evaluate`: probabilities, log-probabilities or log-partition of every row, differentiable any number of times.

Backward is the record's vector–Jacobian product: differentiating the formulas would give NaN where they select between branches,
and rounding errors where they compensate. The second derivative goes through the formula of that product.
"""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends.portable import portable_pull_back, working_dtype
from lastlayer.backends.torch.operators.arguments import Arguments
from lastlayer.backends.torch.operators.transforms import all_at_once, differentiable
from lastlayer.backends.torch.records import record_of
from lastlayer.backends.torch.rows import evaluate_rows
from lastlayer.backends.torch.vjp import keeps_result, pull_back_kept, pull_back_result

Tensor = torch.Tensor

_NAMED = "Tensor? parameter, str mapping, str quantity"
EVALUATE = Arguments(f"Tensor scores, {_NAMED}")
PULL_BACK = Arguments(f"Tensor cotangent, Tensor kept, {_NAMED}, bool is_result")


def _evaluate(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    """A quantity of every row of scores (..., K)."""
    return evaluate_rows(record_of(mapping, parameter), scores, quantity).contiguous()


def _pull_back(
    cotangent: Tensor, kept: Tensor, parameter: Tensor | None, mapping: str, quantity: str, is_result: bool
) -> Tensor:
    """The cotangent of a quantity pulled back to the scores, from the quantity itself or from the scores."""
    return pull_back_kept(record_of(mapping, parameter), kept, cotangent, quantity, is_result).contiguous()


evaluate = torch.library.custom_op(
    "lastlayer::evaluate", _evaluate, mutates_args=(), schema=f"({EVALUATE.schema}) -> Tensor"
)
evaluate_backward = torch.library.custom_op(
    "lastlayer::evaluate_backward",
    _pull_back,
    mutates_args=(),
    schema=f"({PULL_BACK.schema}) -> Tensor",
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
    given = EVALUATE.record(*inputs)
    ctx.mapping, ctx.quantity = given.mapping, given.quantity
    ctx.is_result = keeps_result(record_of(given.mapping, given.parameter), given.scores, given.quantity)
    ctx.save_for_backward(output if ctx.is_result else given.scores, given.parameter)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
    (kept, parameter), wanted = ctx.saved_tensors, EVALUATE.record(*ctx.needs_input_grad)
    in_scores = in_parameter = None
    if wanted.scores:
        in_scores = product_of_quantity(cotangent, kept, parameter, ctx.mapping, ctx.quantity, ctx.is_result)
    if wanted.parameter:
        in_parameter = _products_by_parameter(cotangent, kept, parameter, ctx.mapping, ctx.quantity)[1]
    return EVALUATE.gradients(scores=in_scores, parameter=in_parameter)


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    tensors, ctx.others = PULL_BACK.split(inputs)
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
    given = PULL_BACK.join(ctx.saved_tensors, ctx.others)
    first, kept, parameter, quantity = given.cotangent, given.kept, given.parameter, given.quantity
    record, in_parameter = record_of(given.mapping, parameter), None
    if parameter is not None:

        def product(v: Tensor, x: Tensor, a: Tensor) -> Tensor:
            return _products_by_parameter(v, x, a, given.mapping, quantity)[0]

        in_first, in_kept, in_parameter = torch.func.vjp(product, first, kept, parameter)[1](direction)
    elif given.is_result:
        # The gradient of the result reaches the scores through the forward pass.
        in_first, in_kept = torch.func.vjp(lambda v, p: pull_back_result(p, v, quantity), first, kept)[1](direction)
    else:
        in_first, in_kept = torch.func.vjp(lambda v, x: portable_pull_back(record, x, v, quantity, xp), first, kept)[1](
            direction
        )
    return PULL_BACK.gradients(cotangent=in_first, kept=in_kept, parameter=in_parameter)


def _products_by_parameter(
    cotangent: Tensor, scores: Tensor, parameter: Tensor, mapping: str, quantity: str
) -> tuple[Tensor, Tensor]:
    """The cotangent of a quantity pulled back to the scores and to the parameter of each row; torch can differentiate it.

    Both follow from p: with s the record's tangent, c = ∂log p/∂α at a fixed threshold and Σp = 1, the threshold moves by
    −Σpc / Σs (Correia, Niculae & Martins 2019, section 3.1). For the log-partition it is the envelope theorem.
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
