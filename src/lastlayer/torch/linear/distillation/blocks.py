"""The pass over blocks of rows: the student's scores, the teacher's next to them, losses, and the student's gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.backends.torch.reduction import inverse, reduce_rows
from lastlayer.losses import LossOptions
from lastlayer.torch.linear.blocks import (
    Accumulator,
    Block,
    Gradients,
    LossGradients,
    Wanted,
    in_units,
    scores_of_blocks,
)
from lastlayer.torch.linear.distillation.goals import TeacherGoal
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.distillation.rows import rows_of
from lastlayer.torch.linear.sharded.blocks import Found
from lastlayer.torch.linear.sharded.gradients import SliceGradients

Tensor = torch.Tensor


def loss_of_problem(
    problem: Problem, input: Tensor, weight: Tensor, bias: Tensor | None, options: LossOptions, wanted: Wanted
) -> Found:
    """The reduced loss, and gradients that are those of the loss times a scale.

    The scale of a mean is part of the slopes, except in float16, where they would underflow.
    """
    call, is_float16 = problem.call, input.dtype == torch.float16
    denominators, is_counted = problem.weights(slice(None), options)
    denominators = torch.where(is_counted, denominators, 0.0)
    # Every process knows the same rows. Elsewhere than on the CPU the answer would wait.
    is_skipping = input.device.type == "cpu" and not bool(is_counted.all())
    rows = is_counted.nonzero().squeeze(1) if is_skipping else None
    is_mean = options.reduction == "mean"
    scale = inverse(denominators.sum()) if is_mean else denominators.new_ones(())
    unit, weights = torch.ones_like(scale), options.sample_weight
    weights = None if weights is None else weights.double()
    if is_mean and not is_float16:
        weights = scale.expand(input.shape[0]) if weights is None else weights * scale
    if is_float16 and weights is not None:
        weights, unit = in_units(weights)
    losses_of = rows_of(problem, replace(options, reduction="none", sample_weight=weights))
    losses = denominators.new_zeros(input.shape[0])
    sums = _sums(problem, input, weight, bias, wanted, rows)
    student = scores_of_blocks(
        input, weight, bias, call.agreement.height, rows, lambda: sums.tail, is_wide=call.is_wide
    )
    for block, teacher in zip(student, _teacher_blocks(problem, rows, input.shape[0]), strict=True):
        losses[block.place] = losses_of(block, teacher, any(wanted))
        if any(wanted):
            sums.add(block, block.scores)
    gradients: Gradients = sums.finish() if isinstance(sums, Accumulator) else sums.finish(call.wire)
    kept = LossGradients(*gradients, labels=losses.new_empty(0))
    is_scaled = is_mean and not is_float16
    value = reduce_rows(losses * unit, denominators, "sum" if is_scaled else options.reduction)
    dtype = loss_dtype(input, xp)
    value = tuple(part.to(dtype) for part in value) if isinstance(value, tuple) else value.to(dtype)
    return Found(value, torch.ones_like(scale) if is_scaled else scale * unit, kept, is_counted)


def _sums(
    problem: Problem, input: Tensor, weight: Tensor, bias: Tensor | None, wanted: Wanted, rows: Tensor | None
) -> Accumulator | SliceGradients:
    call = problem.call
    kind = Accumulator if problem.is_alone else SliceGradients
    return kind(input, weight, bias, wanted, call.agreement.height, rows, call.is_wide)


def _teacher_blocks(problem: Problem, rows: Tensor | None, count: int) -> Iterator[Tensor | None]:
    """The teacher's scores of the same blocks; None for targets without a teacher."""
    goal, height = problem.goal, problem.call.agreement.height
    if isinstance(goal, TeacherGoal):
        blocks: Iterator[Block] = scores_of_blocks(
            goal.input, goal.weight, goal.bias, height, rows, is_wide=goal.is_wide
        )
        yield from (block.scores for block in blocks)
        return
    for _ in range(0, count if rows is None else rows.shape[0], height):
        yield None
