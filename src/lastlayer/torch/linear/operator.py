"""`lastlayer::linear_loss`: loss and gradients of a linear head as one node; recomputed by rows where losses are not reduced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.backends.torch import gpu
from lastlayer.backends.torch.operators.arguments import LOSS_SCHEMA, Arguments, is_soft, problem_of
from lastlayer.backends.torch.operators.transforms import differentiable, one_by_one
from lastlayer.backends.torch.reduction import inverse
from lastlayer.losses import LossOptions, counted_rows, plain_labels, row_losses
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Wanted, loss_of_blocks
from lastlayer.torch.linear.flops import products, register_flops
from lastlayer.torch.linear.plan import block_height, sum_dtype
from lastlayer.torch.linear.scaling import scale_sums, weighted_rows

Tensor = torch.Tensor

_HEAD = (
    f"Tensor input, Tensor weight, Tensor? bias, {LOSS_SCHEMA}, int? max_memory, bool wide_scores, "
    "bool input_wanted, bool weight_wanted, bool bias_wanted"
)
HEAD = Arguments(_HEAD)
#: Backward takes the upstream gradient and what forward kept as well.
_KEPT = ("scale", "input_sum", "weight_sum", "bias_sum")
BACKWARD = Arguments("Tensor upstream, " + "".join(f"Tensor {name}, " for name in _KEPT) + _HEAD)


def wanted_of(head: Any) -> Wanted:
    """Which gradients a record of `HEAD` or `BACKWARD` asks for."""
    return Wanted(head.input_wanted, head.weight_wanted, head.bias_wanted)


def options_of(head: Any) -> tuple[ProbabilityMapping, Tensor, LossOptions]:
    """Mapping, targets and options of a head's record; labels as int64."""
    mapping, targets, options = problem_of(head)
    return mapping, targets if is_soft(targets) else plain_labels(targets, options.ignore_index, xp), options


def linear_loss_of(*arguments: Any) -> tuple[Tensor, ...]:
    """Reduced loss, the denominator of parts, the mean's scale, and the gradients of the losses' sum, empty if not wanted."""
    head = HEAD.record(*arguments)
    mapping, targets, options = options_of(head)
    # Losses by row are weighted by their upstream gradients, which only backward knows: it computes the gradients.
    wanted = Wanted(False, False, False) if options.reduction == "none" else wanted_of(head)
    height = block_height(head.input, head.weight, head.max_memory, is_wide=head.wide_scores)
    value, scale, gradients = loss_of_blocks(
        mapping,
        head.input,
        head.weight,
        head.bias,
        targets,
        is_soft(targets),
        options,
        height,
        wanted,
        head.wide_scores,
    )
    total, denominator = value if isinstance(value, tuple) else (value, head.input.new_empty(0))
    return total, denominator, scale, *gradients


def _linear_loss(*arguments: Any) -> tuple[Tensor, ...]:
    """The same with sums in dtypes that do not depend on the number of blocks, as a graph for any number of rows needs."""
    weight = HEAD.record(*arguments).weight
    *others, weight_sum, bias_sum = linear_loss_of(*arguments)
    return *others, weight_sum.to(sum_dtype(weight.dtype, weight.device, over_rows=True)), bias_sum


linear_loss_operator = torch.library.custom_op(
    "lastlayer::linear_loss",
    _linear_loss,
    mutates_args=(),
    schema=f"({HEAD.schema}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)


@linear_loss_operator.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    head = HEAD.record(*arguments)
    input, weight, reduction = head.input, head.weight, head.reduction
    dtype, is_later = loss_dtype(input, xp), reduction == "none"
    wanted = Wanted(*(is_wanted and not is_later for is_wanted in wanted_of(head)))
    return (
        input.new_empty(input.shape[:1] if is_later else (), dtype=dtype),
        input.new_empty((), dtype=dtype) if reduction == "parts" else input.new_empty(0),
        input.new_empty((), dtype=torch.float64),
        input.new_empty(input.shape if wanted.input else (0,), dtype=sum_dtype(input.dtype, input.device)),
        weight.new_empty(
            weight.shape if wanted.weight else (0,), dtype=sum_dtype(weight.dtype, weight.device, over_rows=True)
        ),
        weight.new_empty(
            weight.shape[:1] if wanted.bias and head.bias is not None else (0,),
            dtype=torch.promote_types(weight.dtype, torch.float32),
        ),
    )


@torch.library.custom_op(
    "lastlayer::linear_loss_backward",
    mutates_args=(),
    schema=f"({BACKWARD.schema}) -> (Tensor, Tensor, Tensor)",
)
def linear_loss_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """The gradients: the kept sums times the upstream gradient, or computed now with one upstream gradient per row."""
    given = BACKWARD.record(*arguments)
    if given.reduction == "none":
        sums = _weighted_sums(given)
    else:
        mapping, targets, options = options_of(given)
        sums = tuple(total.clone() for total in (given.input_sum, given.weight_sum, given.bias_sum))
        scale_sums(given.upstream, given.scale, sums, targets, options, mapping.family)
    tensors = (given.input, given.weight, given.bias)
    return tuple(
        total.to(tensor.dtype) if is_wanted else given.upstream.new_empty(0)
        for total, tensor, is_wanted in zip(sums, tensors, wanted_of(given), strict=True)
    )


def _weighted_sums(given: Any) -> tuple[Tensor, ...]:
    """Gradients of Σ upstream · loss, with the upstream gradients as row weights."""
    mapping, targets, options = options_of(given)
    options = replace(options, sample_weight=weighted_rows(given.upstream, options))
    height = block_height(given.input, given.weight, given.max_memory, is_wide=given.wide_scores)
    _, scale, sums = loss_of_blocks(
        mapping,
        given.input,
        given.weight,
        given.bias,
        targets,
        is_soft(targets),
        options,
        height,
        wanted_of(given),
        given.wide_scores,
    )
    if given.input.dtype == torch.float16:
        for total in sums:
            gpu.scale_in_place(total, scale)
    return sums


@linear_loss_backward.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    given = BACKWARD.record(*arguments)
    return tuple(
        tensor.new_empty(tensor.shape) if is_wanted and tensor is not None else given.upstream.new_empty(0)
        for tensor, is_wanted in zip((given.input, given.weight, given.bias), wanted_of(given), strict=True)
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.mark_non_differentiable(*output[1:])
    # Else autograd makes zeros as large as the kept sums, for the gradients that they do not have.
    ctx.set_materialize_grads(False)
    tensors, ctx.others = HEAD.split(inputs)
    ctx.save_for_backward(*output[2:], *tensors)


def _backward(ctx: Any, upstream: Tensor | None, *nothing: Any) -> tuple[Any, ...]:
    if upstream is None:
        return HEAD.gradients()
    kept, tensors = ctx.saved_tensors[: len(_KEPT)], ctx.saved_tensors[len(_KEPT) :]
    head = HEAD.join(tensors, ctx.others)
    return head_gradients(head, product_of_head(upstream, *kept, *head))


def head_gradients(head: Any, gradients: Any) -> tuple[Any, ...]:
    """What backward returns for the arguments of `HEAD`: the gradients of input, weight and bias that are wanted."""
    each = (g if is_wanted else None for g, is_wanted in zip(gradients, wanted_of(head), strict=True))
    return HEAD.gradients(**dict(zip(("input", "weight", "bias"), each, strict=True)))


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    # Second derivatives do not use the sums.
    given = BACKWARD.record(*inputs)._replace(**dict.fromkeys(_KEPT))
    tensors, ctx.others = BACKWARD.split(given)
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Second derivatives through the formulas, with the scores stored."""
    kept = BACKWARD.join(ctx.saved_tensors, ctx.others)
    wanted = wanted_of(kept)
    mapping, targets, options = options_of(kept)
    counted = counted_rows(targets, is_soft(targets), options, mapping.family, xp)

    def gradients(upstream: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
        scores = torch.nn.functional.linear(input.double(), weight.double(), None if bias is None else bias.double())
        rows = row_losses(mapping, scores, targets, is_soft(targets), options, xp, with_gradient=True)
        assert rows.gradient is not None
        factor = upstream * inverse(rows.denominators.sum()) if options.reduction == "mean" else upstream
        # Infinity and NaN from upstream reach only the rows that count.
        slopes = rows.gradient * torch.where(counted, factor, 0.0)[:, None]
        each = (slopes @ weight.double(), slopes.T @ input.double(), slopes.sum(0))
        return tuple(g.to(input.dtype) for g, w in zip(each, wanted, strict=True) if w)

    names = ("upstream", "input", "weight", *(("bias",) if kept.bias is not None else ()))
    pull = torch.func.vjp(gradients, *(getattr(kept, name) for name in names))[1]
    pulled = pull(tuple(c for c, w in zip(cotangents, wanted, strict=True) if w))
    return BACKWARD.gradients(**dict(zip(names, pulled, strict=True)))


traced_head_loss = differentiable(linear_loss_operator, _keep, _backward, one_by_one)
product_of_head = differentiable(linear_loss_backward, _keep_product, _second, one_by_one)


def _loss_flops(*arguments: Any) -> int:
    head = HEAD.record(*arguments)
    return products(head.input, head.weight, () if head.reduction == "none" else wanted_of(head)[:2])


def _backward_flops(*arguments: Any) -> int:
    given = BACKWARD.record(*arguments)
    return products(given.input, given.weight, wanted_of(given)[:2]) if given.reduction == "none" else 0


register_flops(torch.ops.lastlayer.linear_loss, _loss_flops)
register_flops(torch.ops.lastlayer.linear_loss_backward, _backward_flops)
