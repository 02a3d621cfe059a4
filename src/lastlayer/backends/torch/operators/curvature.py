"""The second derivatives of a loss, and its derivative in a parameter of each row: plain tensor code that torch can differentiate."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.backends.portable import working_dtype
from lastlayer.backends.torch.operators.arguments import is_soft
from lastlayer.backends.torch.operators.evaluate import quantity_of_rows
from lastlayer.backends.torch.records import key_of, row_parameter
from lastlayer.losses import LossOptions, dense_targets, reduction_scale, row_losses, weighted_targets
from lastlayer.mappings import MAPPINGS, ProbabilityMapping

Tensor = torch.Tensor
Problem = tuple[ProbabilityMapping, Tensor, LossOptions]


def needs_scores(scores: Tensor, mapping: ProbabilityMapping, targets: Tensor, options: LossOptions) -> bool:
    """Whether second derivatives need the scores as well as the loss's gradient.

    For softmax and labels they do not: the gradient is scale · (p − y), which contains p. A softcap or a z-loss would have to be
    known as well, and float16 does not hold the gradient of a mean with enough digits.
    """
    is_alone = mapping.evaluate is MAPPINGS["softmax"].evaluate and options.softcap is None
    return not is_alone or options.z_loss != 0.0 or is_soft(targets) or scores.dtype == torch.float16


def curvature(
    direction: Tensor, gradient: Tensor, scores: Tensor | None, is_counted: Tensor, problem: Problem
) -> tuple[Tensor, Tensor | None]:
    """The derivative of the loss's gradient along a direction: in the scores, and in the parameter of each row if there is one.

    Rows that do not count have none, whatever their scores and their direction are.
    """
    mapping, targets, options = problem
    by_class = is_counted[..., None]
    direction = torch.where(by_class, direction, 0.0)
    mixed = None
    if scores is None:
        second = _from_gradient(direction, gradient, mapping, targets, options)
    elif (parameter := row_parameter(mapping)) is None:
        pull = torch.func.vjp(lambda x: _gradient(x, mapping, targets, options), scores)[1]
        (second,) = pull(direction)
    else:
        pull = torch.func.vjp(lambda x, a: _gradient_by_parameter(x, a, *problem), scores, parameter)[1]
        second, mixed = pull(direction)
        mixed = torch.where(is_counted, mixed, 0.0)
    return torch.where(by_class, second, 0.0), mixed


def slope_by_parameter(upstream: Tensor, scores: Tensor, is_counted: Tensor, problem: Problem) -> Tensor:
    """The loss's derivative in the parameter of each row, times `upstream`: ∂Ω(y) − ∂Ω(p) by the envelope theorem, since p
    maximises ⟨p, x⟩ − Ω(p).
    """
    mapping, targets, options = problem
    parameter = row_parameter(mapping)
    assert parameter is not None
    assert mapping.regularizer_slope is not None
    wide = scores.to(working_dtype(scores, xp))
    dense = dense_targets(targets, is_soft(targets), wide, options, xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    alpha, x = parameter.to(wide.dtype), options.activation(wide, xp)
    values, key = mapping.replace(**dict.fromkeys(mapping.values, alpha)).values, key_of(mapping)
    of_p = mapping.regularizer_slope(quantity_of_rows(x, alpha, key, "probabilities"), xp, **values)
    slope = factor * (mapping.regularizer_slope(y, xp, **values) - of_p)
    if options.z_loss:
        partition = quantity_of_rows(x, alpha, key, "log_partition")
        slope = slope - dense.denominator * (2.0 * options.z_loss * partition) * of_p
    slope = slope * reduction_scale(dense.denominator, options.reduction, xp)
    product = torch.where(is_counted, upstream, 0.0) * torch.where(is_counted, slope, 0.0)
    return product.to(parameter.dtype)


def _gradient(scores: Tensor, mapping: ProbabilityMapping, targets: Tensor, options: LossOptions) -> Tensor:
    """The gradient of the loss by the record's formulas."""
    wide = scores.to(working_dtype(scores, xp))
    rows = row_losses(mapping, wide, targets, is_soft(targets), options, xp, with_gradient=True)
    assert rows.gradient is not None
    scale = reduction_scale(rows.denominators, options.reduction, xp)
    return (rows.gradient * scale).to(scores.dtype)


def _gradient_by_parameter(
    scores: Tensor, parameter: Tensor, mapping: ProbabilityMapping, targets: Tensor, options: LossOptions
) -> Tensor:
    """The gradient of a Fenchel–Young loss, p − y, with p from the operator that has derivatives in the parameter too."""
    wide = scores.to(working_dtype(scores, xp))
    dense = dense_targets(targets, is_soft(targets), wide, options, xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    alpha, x, key = parameter.to(wide.dtype), options.activation(wide, xp), key_of(mapping)
    p = quantity_of_rows(x, alpha, key, "probabilities")
    gradient = factor[..., None] * (p * y.sum(-1, keepdim=True) - y)
    if options.z_loss:
        partition = quantity_of_rows(x, alpha, key, "log_partition")
        gradient = gradient + (dense.denominator * (2.0 * options.z_loss * partition))[..., None] * p
    gradient = options.activation.pull_back(wide, gradient, xp)
    return (gradient * reduction_scale(dense.denominator, options.reduction, xp)).to(scores.dtype)


def _from_gradient(
    direction: Tensor, gradient: Tensor, mapping: ProbabilityMapping, targets: Tensor, options: LossOptions
) -> Tensor:
    """factor · Σy · (p w − p Σ p w) for a direction w, with p from the gradient: factor · (p Σy − y).

    The direction is measured from its entry at the label: a constant along the classes changes nothing, and 1 − p of a confident
    label, which is lost in p, is then not needed.
    """
    wide = gradient.to(working_dtype(gradient, xp))
    dense = dense_targets(targets, False, wide.detach(), options, xp)
    y, factor = weighted_targets(mapping, dense, options, xp)
    factor = (factor * reduction_scale(dense.denominator, options.reduction, xp))[..., None]
    factor, total = factor / options.temperature, y.sum(-1, keepdim=True)
    p = (wide / torch.where(factor > 0, factor, 1.0) + y) / torch.where(total > 0, total, 1.0)
    last = gradient.shape[-1] - 1
    w = direction.to(wide.dtype)
    w = w - w.gather(-1, targets.clamp(0, last)[..., None])
    second = p * w - p * (p * w).sum(-1, keepdim=True)
    return (second * (factor * total / options.temperature)).to(gradient.dtype)
