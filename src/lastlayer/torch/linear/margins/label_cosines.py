"""`lastlayer::label_cosines`: the label's cosine with its margin, from each row and its label's row of the weight, in float64.

With unit rows h and w, c = h·w and the residual r = w − c h, whose length is sin θ, a row's value and its slope in the input are

    a c − b ‖r‖ + d,    (a r + b c r / ‖r‖) / ‖input‖,

and in the row of the weight the same with h and w exchanged. No angle is computed, so nothing divides by sin θ where θ is 0 or π:
r / ‖r‖ is a unit vector, and 0 where the angle is below the rounding of float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from lastlayer.backends.torch.operators.arguments import Arguments
from lastlayer.backends.torch.operators.transforms import differentiable, one_by_one
from lastlayer.torch.linear.margins.margin import Margin
from lastlayer.torch.linear.margins.unit_rows import chunks, parts_of

Tensor = torch.Tensor

_SCHEMA = "Tensor input, Tensor weight, Tensor labels, str kind, float size, bool input_wanted, bool weight_wanted"
ARGUMENTS = Arguments(_SCHEMA)
BACKWARD = Arguments(f"Tensor upstream, {_SCHEMA}")
#: Angles below this are rounding errors of float64 unit vectors.
_NO_ANGLE = 16 * 2.0**-52


class Angle(NamedTuple):
    """Rows of inputs (n, D) and of the weight (n, D), and the angle between the two: all float64."""

    #: Unit rows of the inputs, 0 for a row of zeros, and their lengths.
    input: Tensor
    input_length: Tensor
    weight_length: Tensor
    #: (n, 1): whether neither row is zero.
    has_direction: Tensor
    cosine: Tensor
    sine: Tensor
    #: weight − cosine · input and input − cosine · weight, each of length `sine`.
    residual: Tensor
    residual_of_input: Tensor


def angle_between(input: Tensor, weight: Tensor) -> Angle:
    """The angle of float64 rows. A row of zeros has none: its score is 0, without margin."""
    h, *of_input = parts_of(input)
    w, *of_weight = parts_of(weight)
    cosine = (h * w).sum(1, keepdim=True)
    residual, residual_of_input = w - cosine * h, h - cosine * w
    squares = (residual * residual).sum(1, keepdim=True)
    is_flat = squares <= _NO_ANGLE**2
    return Angle(
        input=h,
        input_length=of_input[0] * of_input[1],
        weight_length=of_weight[0] * of_weight[1],
        has_direction=~((input == 0).all(1, keepdim=True) | (weight == 0).all(1, keepdim=True)),
        cosine=cosine,
        sine=torch.where(is_flat, 0.0, torch.where(is_flat, 1.0, squares).sqrt()),
        residual=residual,
        residual_of_input=residual_of_input,
    )


def value_and_factors(margin: Margin, angle: Angle) -> tuple[Tensor, Tensor]:
    """Per row: a c − b sin θ + d, and the factor a + b c / sin θ of the residuals in the slopes; (n, 1), 0 without an angle."""
    a, b, d = margin.coefficients(angle.cosine.detach())
    is_flat = angle.sine == 0
    ratio = torch.where(is_flat, 0.0, angle.cosine / torch.where(is_flat, 1.0, angle.sine))
    value = a * angle.cosine - b * angle.sine + d
    return torch.where(angle.has_direction, value, 0.0), torch.where(angle.has_direction, a + b * ratio, 0.0)


def _row_gradients(margin: Margin, upstream: Tensor, input: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients (n, D) of Σ upstream · value in the rows; exactly 0 where nothing arrives from upstream."""
    angle = angle_between(input, weight)
    factor = upstream[:, None] * value_and_factors(margin, angle)[1]
    has_none = (upstream[:, None] == 0) | ~angle.has_direction
    return (
        torch.where(has_none, 0.0, factor * angle.residual / angle.input_length),
        torch.where(has_none, 0.0, factor * angle.residual_of_input / angle.weight_length),
    )


def is_class(labels: Tensor, classes: int) -> Tensor:
    """Which labels are among the classes; the others have value 0 and no gradient."""
    return (labels >= 0) & (labels < classes)


@torch.library.custom_op("lastlayer::label_cosines", mutates_args=(), schema=f"({_SCHEMA}) -> Tensor")
def label_cosines_operator(*arguments: Any) -> Tensor:
    """(N,) in float64."""
    given = ARGUMENTS.record(*arguments)
    found = given.input.new_zeros(given.input.shape[0], dtype=torch.float64)
    margin, classes = Margin(given.kind, given.size), given.weight.shape[0]
    if not classes or not given.input.shape[1]:
        return found
    for place in chunks(given.input):
        labels = given.labels[place]
        angle = angle_between(given.input[place].double(), given.weight[labels.clamp(0, classes - 1)].double())
        found[place] = torch.where(is_class(labels, classes), value_and_factors(margin, angle)[0][:, 0], 0.0)
    return found


@torch.library.custom_op(
    "lastlayer::label_cosines_backward", mutates_args=(), schema=f"({BACKWARD.schema}) -> (Tensor, Tensor)"
)
def label_cosines_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradients of input and weight, empty if not wanted. That of the weight is summed in float32 at least."""
    given = BACKWARD.record(*arguments)
    input, weight = given.input, given.weight
    in_input = input.new_zeros(input.shape if given.input_wanted else (0,))
    in_weight = weight.new_zeros(
        weight.shape if given.weight_wanted else (0,), dtype=torch.promote_types(weight.dtype, torch.float32)
    )
    margin, classes = Margin(given.kind, given.size), weight.shape[0]
    for place in chunks(input) if classes and input.shape[1] else ():
        labels = given.labels[place]
        index = labels.clamp(0, classes - 1)
        upstream = torch.where(is_class(labels, classes), given.upstream[place], 0.0)
        each = _row_gradients(margin, upstream, input[place].double(), weight[index].double())
        if given.input_wanted:
            in_input[place] = each[0].to(input.dtype)
        if given.weight_wanted:
            in_weight.index_add_(0, index, each[1].to(in_weight.dtype))
    return in_input, in_weight.to(weight.dtype)


@label_cosines_operator.register_fake
def _(*arguments: Any) -> Tensor:
    input: Tensor = ARGUMENTS.record(*arguments).input
    return input.new_empty(input.shape[0], dtype=torch.float64)


@label_cosines_backward.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    given = BACKWARD.record(*arguments)
    return (
        given.input.new_empty(given.input.shape if given.input_wanted else (0,)),
        given.weight.new_empty(given.weight.shape if given.weight_wanted else (0,)),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    tensors, ctx.others = ARGUMENTS.split(inputs)
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    given = ARGUMENTS.join(ctx.saved_tensors, ctx.others)
    each = pull_back(upstream, *given)
    wanted = (given.input_wanted, given.weight_wanted)
    return ARGUMENTS.gradients(
        **{name: g for name, g, is_wanted in zip(("input", "weight"), each, wanted, strict=True) if is_wanted}
    )


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    tensors, ctx.others = BACKWARD.split(inputs)
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Second derivatives through the formulas of all rows at once."""
    given = BACKWARD.join(ctx.saved_tensors, ctx.others)
    margin, classes = Margin(given.kind, given.size), given.weight.shape[0]
    index = given.labels.clamp(0, classes - 1)
    wanted = (given.input_wanted, given.weight_wanted)

    def gradients(upstream: Tensor, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        counted = torch.where(is_class(given.labels, classes), upstream, 0.0)
        in_input, in_rows = _row_gradients(margin, counted, input.double(), weight[index].double())
        in_weight = torch.zeros_like(weight, dtype=torch.float64).index_add(0, index, in_rows)
        each = (in_input.to(input.dtype), in_weight.to(weight.dtype))
        return tuple(g for g, is_wanted in zip(each, wanted, strict=True) if is_wanted)

    pull = torch.func.vjp(gradients, given.upstream, given.input, given.weight)[1]
    pulled = pull(tuple(c for c, is_wanted in zip(cotangents, wanted, strict=True) if is_wanted))
    return BACKWARD.gradients(**dict(zip(("upstream", "input", "weight"), pulled, strict=True)))


label_cosines = differentiable(label_cosines_operator, _keep, _backward, one_by_one)
pull_back = differentiable(label_cosines_backward, _keep_product, _second, one_by_one)
