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
    f"Tensor input, Tensor weight, Tensor? bias, Tensor? label_scores, {LOSS_SCHEMA}, int? max_memory, bool wide_scores, "
    "bool input_wanted, bool weight_wanted, bool bias_wanted"
)
HEAD = Arguments(_HEAD)
#: Backward takes the upstream gradient and what forward kept as well.
_KEPT = ("scale", "input_sum", "weight_sum", "bias_sum", "label_sum")
BACKWARD = Arguments("Tensor upstream, " + "".join(f"Tensor {name}, " for name in _KEPT) + _HEAD)


def wanted_of(head: Any) -> Wanted:
    """Which gradients a record of `HEAD` or `BACKWARD` asks for."""
    return Wanted(head.input_wanted, head.weight_wanted, head.bias_wanted)


#: The arguments that have gradients, in the order of `LossGradients`.
DIFFERENTIABLE = ("input", "weight", "bias", "label_scores")


def tensors_of(head: Any) -> list[tuple[Tensor | None, bool]]:
    """Each of `DIFFERENTIABLE`, and whether its gradient is asked for. That of the label scores comes with any other."""
    wanted = wanted_of(head)
    has_label = head.label_scores is not None and any(wanted)
    return list(zip((getattr(head, name) for name in DIFFERENTIABLE), (*wanted, has_label), strict=True))


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
        head.label_scores,
    )
    total, denominator = value if isinstance(value, tuple) else (value, head.input.new_empty(0))
    return total, denominator, scale, *gradients


def _linear_loss(*arguments: Any) -> tuple[Tensor, ...]:
    """The same with sums in dtypes that do not depend on the number of blocks, as a graph for any number of rows needs."""
    weight = HEAD.record(*arguments).weight
    *others, weight_sum, bias_sum, label_sum = linear_loss_of(*arguments)
    return *others, weight_sum.to(sum_dtype(weight.dtype, weight.device, over_rows=True)), bias_sum, label_sum


linear_loss_operator = torch.library.custom_op(
    "lastlayer::linear_loss",
    _linear_loss,
    mutates_args=(),
    schema=f"({HEAD.schema}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
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
        input.new_empty(input.shape[:1] if head.label_scores is not None else (0,), dtype=torch.float64),
    )


@torch.library.custom_op(
    "lastlayer::linear_loss_backward",
    mutates_args=(),
    schema=f"({BACKWARD.schema}) -> (Tensor, Tensor, Tensor, Tensor)",
)
def linear_loss_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """The gradients: the kept sums times the upstream gradient, or computed now with one upstream gradient per row."""
    given = BACKWARD.record(*arguments)
    if given.reduction == "none":
        sums = _weighted_sums(given)
    else:
        mapping, targets, options = options_of(given)
        sums = tuple(getattr(given, name).clone() for name in _KEPT[1:])
        scale_sums(given.upstream, given.scale, sums, targets, options, mapping.family)
    return tuple(
        total.to(tensor.dtype) if is_wanted and tensor is not None else given.upstream.new_empty(0)
        for total, (tensor, is_wanted) in zip(sums, tensors_of(given), strict=True)
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
        given.label_scores,
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
        for tensor, is_wanted in tensors_of(given)
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
    """What backward returns for the arguments of `HEAD`: the gradients that are wanted."""
    each = (g if is_wanted else None for g, (_, is_wanted) in zip(gradients, tensors_of(head), strict=True))
    return HEAD.gradients(**dict(zip(DIFFERENTIABLE, each, strict=True)))


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    # Second derivatives do not use the sums.
    given = BACKWARD.record(*inputs)._replace(**dict.fromkeys(_KEPT))
    tensors, ctx.others = BACKWARD.split(given)
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Second derivatives through the formulas, with the scores stored."""
    kept = BACKWARD.join(ctx.saved_tensors, ctx.others)
    wanted = [is_wanted for _, is_wanted in tensors_of(kept)]
    mapping, targets, options = options_of(kept)
    counted = counted_rows(targets, is_soft(targets), options, mapping.family, xp)
    names = [name for name in DIFFERENTIABLE if getattr(kept, name) is not None]
    if kept.label_scores is not None:
        is_label = targets[:, None] == torch.arange(kept.weight.shape[0], device=targets.device)

    def gradients(upstream: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        head = dict(zip(names, tensors, strict=True))
        input, weight = head["input"].double(), head["weight"].double()
        scores = torch.nn.functional.linear(input, weight, head["bias"].double() if "bias" in head else None)
        if "label_scores" in head:
            scores = torch.where(is_label, head["label_scores"].double()[:, None], scores)
        rows = row_losses(mapping, scores, targets, is_soft(targets), options, xp, with_gradient=True)
        assert rows.gradient is not None
        factor = upstream * inverse(rows.denominators.sum()) if options.reduction == "mean" else upstream
        # Infinity and NaN from upstream reach only the rows that count.
        slopes = rows.gradient * torch.where(counted, factor, 0.0)[:, None]
        at_labels = slopes.new_zeros(0)
        if "label_scores" in head:
            at_labels = torch.where(is_label, slopes, 0.0).sum(1)
            slopes = torch.where(is_label, 0.0, slopes)
        each = (slopes @ weight, slopes.T @ input, slopes.sum(0), at_labels)
        return tuple(
            g.to(head[name].dtype)
            for name, g, w in zip(DIFFERENTIABLE, each, wanted, strict=True)
            if w and name in head
        )

    pull = torch.func.vjp(gradients, kept.upstream, *(getattr(kept, name) for name in names))[1]
    pulled = pull(
        tuple(c for name, c, w in zip(DIFFERENTIABLE, cotangents, wanted, strict=True) if w and name in names)
    )
    return BACKWARD.gradients(**dict(zip(("upstream", *names), pulled, strict=True)))


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
