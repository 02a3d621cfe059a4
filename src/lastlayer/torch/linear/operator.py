"""`lastlayer::linear_loss`: loss and gradients of a linear head as one node; recomputed by rows where losses are not reduced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.dispatch import loss_dtype
from lastlayer.losses import LossOptions, plain_labels, row_losses
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch import gpu
from lastlayer.torch.linear.blocks import Wanted, loss_of_blocks
from lastlayer.torch.linear.flops import products, register_flops
from lastlayer.torch.linear.plan import block_height, sum_dtype
from lastlayer.torch.linear.scaling import scale_sums, weighted_rows
from lastlayer.torch.operators.arguments import COUNT, LOSS_SCHEMA, is_soft, unflatten
from lastlayer.torch.operators.transforms import differentiable, one_by_one
from lastlayer.torch.reduction import counts, inverse

Tensor = torch.Tensor

_HEAD = f"Tensor input, Tensor weight, Tensor? bias, {LOSS_SCHEMA}, int? max_memory"
_SUMS = "Tensor upstream, Tensor scale, Tensor input_sum, Tensor weight_sum, Tensor bias_sum"
_WANTED = "bool input_wanted, bool weight_wanted, bool bias_wanted"
#: Number of arguments in `_HEAD`, and the index of its reduction.
_ARGUMENTS, REDUCTION = COUNT + 4, COUNT + 2


def options_of(arguments: tuple[Any, ...]) -> tuple[ProbabilityMapping, Tensor, LossOptions]:
    """Mapping, targets and options from the head's arguments behind its three tensors; labels as int64."""
    mapping, targets, options = unflatten(tuple(arguments[:COUNT]))
    return mapping, targets if is_soft(targets) else plain_labels(targets, options.ignore_index, xp), options


def linear_loss_of(input: Tensor, weight: Tensor, bias: Tensor | None, *arguments: Any) -> tuple[Tensor, ...]:
    """Reduced loss, the denominator of parts, the mean's scale, and the gradients of the losses' sum, empty if not wanted."""
    *_, max_memory, wants_input, wants_weight, wants_bias = arguments
    mapping, targets, options = options_of(arguments)
    # Losses by row are weighted by their upstream gradients, which only backward knows: it computes the gradients.
    is_later = options.reduction == "none"
    wanted = Wanted(*(w and not is_later for w in (wants_input, wants_weight, wants_bias)))
    height = block_height(input, weight, max_memory)
    value, scale, gradients = loss_of_blocks(
        mapping, input, weight, bias, targets, is_soft(targets), options, height, wanted
    )
    total, denominator = value if isinstance(value, tuple) else (value, input.new_empty(0))
    return total, denominator, scale, *gradients


def _linear_loss(input: Tensor, weight: Tensor, bias: Tensor | None, *arguments: Any) -> tuple[Tensor, ...]:
    """The same with sums in dtypes that do not depend on the number of blocks, as a graph for any number of rows needs."""
    *others, weight_sum, bias_sum = linear_loss_of(input, weight, bias, *arguments)
    return *others, weight_sum.to(sum_dtype(weight.dtype, weight.device, over_rows=True)), bias_sum


linear_loss_operator = torch.library.custom_op(
    "lastlayer::linear_loss",
    _linear_loss,
    mutates_args=(),
    schema=f"({_HEAD}, {_WANTED}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)


@linear_loss_operator.register_fake
def _(input: Tensor, weight: Tensor, bias: Tensor | None, *arguments: Any) -> tuple[Tensor, ...]:
    reduction, _, wants_input, wants_weight, wants_bias = arguments[COUNT - 1 :]
    dtype, is_later = loss_dtype(input, xp), reduction == "none"
    wide = torch.promote_types(weight.dtype, torch.float32)
    return (
        input.new_empty(input.shape[:1] if is_later else (), dtype=dtype),
        input.new_empty((), dtype=dtype) if reduction == "parts" else input.new_empty(0),
        input.new_empty((), dtype=torch.float64),
        input.new_empty(
            input.shape if wants_input and not is_later else (0,), dtype=sum_dtype(input.dtype, input.device)
        ),
        weight.new_empty(
            weight.shape if wants_weight and not is_later else (0,),
            dtype=sum_dtype(weight.dtype, weight.device, over_rows=True),
        ),
        weight.new_empty(weight.shape[:1] if wants_bias and bias is not None and not is_later else (0,), dtype=wide),
    )


@torch.library.custom_op(
    "lastlayer::linear_loss_backward",
    mutates_args=(),
    schema=f"({_SUMS}, {_HEAD}, {_WANTED}) -> (Tensor, Tensor, Tensor)",
)
def linear_loss_backward(upstream: Tensor, scale: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """The gradients: the kept sums times the upstream gradient, or computed now with one upstream gradient per row."""
    sums, arguments = arguments[:3], arguments[3:]
    head, wanted = arguments[:_ARGUMENTS], Wanted(*arguments[_ARGUMENTS:])
    if head[REDUCTION] == "none":
        sums = _weighted_sums(upstream, head, wanted)
    else:
        mapping, targets, options = options_of(head[3:])
        sums = tuple(total.clone() for total in sums)
        scale_sums(upstream, scale, sums, targets, options, mapping.family)
    return tuple(
        total.to(tensor.dtype) if is_wanted else upstream.new_empty(0)
        for total, tensor, is_wanted in zip(sums, head[:3], wanted, strict=True)
    )


def _weighted_sums(upstream: Tensor, head: tuple[Any, ...], wanted: Wanted) -> tuple[Tensor, ...]:
    """Gradients of Σ upstream · loss, the upstream gradients taken as weights of rows."""
    input, weight, bias, *others, max_memory = head
    mapping, targets, options = options_of(tuple(others))
    options = replace(options, sample_weight=weighted_rows(upstream, options))
    height = block_height(input, weight, max_memory)
    _, scale, sums = loss_of_blocks(mapping, input, weight, bias, targets, is_soft(targets), options, height, wanted)
    if input.dtype == torch.float16:
        for total in sums:
            gpu.scale_in_place(total, scale)
    return sums


@linear_loss_backward.register_fake
def _(upstream: Tensor, scale: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    head = arguments[3:]
    return tuple(
        tensor.new_empty(tensor.shape) if is_wanted and tensor is not None else upstream.new_empty(0)
        for tensor, is_wanted in zip(head[:3], head[_ARGUMENTS:], strict=True)
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.rest = *inputs[:7], inputs[7:]
    ctx.mark_non_differentiable(*output[1:])
    # Else autograd makes zeros as large as the kept sums, for the gradients that they do not have.
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*output[2:], *tensors)


def _backward(ctx: Any, upstream: Tensor | None, *nothing: Any) -> tuple[Any, ...]:
    if upstream is None:
        return (None,) * (COUNT + 7)
    gradients = product_of_head(upstream, *ctx.saved_tensors, *ctx.rest)
    each = (g if w else None for g, w in zip(gradients, ctx.rest[-3:], strict=True))
    return *each, *[None] * (COUNT + 4)


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    upstream, tensors, ctx.rest = inputs[0], inputs[5:12], inputs[12:]
    ctx.save_for_backward(upstream, *tensors)


def _second(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Second derivatives through the formulas, with the scores stored."""
    upstream, input, weight, bias, *tensors = ctx.saved_tensors
    wanted = Wanted(*ctx.rest[-3:])
    mapping, targets, options = options_of((*tensors, *ctx.rest[: COUNT - 4]))
    counted = counts(targets, is_soft(targets), options, mapping.family)

    def gradients(upstream: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
        scores = torch.nn.functional.linear(input.double(), weight.double(), None if bias is None else bias.double())
        rows = row_losses(mapping, scores, targets, is_soft(targets), options, xp, with_gradient=True)
        assert rows.gradient is not None
        factor = upstream * inverse(rows.denominators.sum()) if options.reduction == "mean" else upstream
        # Infinity and NaN from upstream reach only the rows that count.
        slopes = rows.gradient * torch.where(counted, factor, 0.0)[:, None]
        each = (slopes @ weight.double(), slopes.T @ input.double(), slopes.sum(0))
        return tuple(g.to(input.dtype) for g, w in zip(each, wanted, strict=True) if w)

    given = (upstream, input, weight) if bias is None else (upstream, input, weight, bias)
    pull = torch.func.vjp(gradients, *given)[1]
    pulled = pull(tuple(c for c, w in zip(cotangents, wanted, strict=True) if w))
    in_upstream, *in_head = pulled
    return in_upstream, *[None] * 4, *in_head, *[None] * (3 - len(in_head)), *[None] * (COUNT + 4)


traced_head_loss = differentiable(linear_loss_operator, _keep, _backward, one_by_one)
product_of_head = differentiable(linear_loss_backward, _keep_product, _second, one_by_one)


def _loss_flops(input: Any, weight: Any, bias: Any, *arguments: Any) -> int:
    return products(input, weight, () if arguments[COUNT - 1] == "none" else arguments[-3:-1])


def _backward_flops(upstream: Any, scale: Any, *arguments: Any) -> int:
    head = arguments[3:]
    return products(head[0], head[1], head[-3:-1]) if head[REDUCTION] == "none" else 0


register_flops(torch.ops.lastlayer.linear_loss, _loss_flops)
register_flops(torch.ops.lastlayer.linear_loss_backward, _backward_flops)
