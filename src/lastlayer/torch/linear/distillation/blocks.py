"""The pass over blocks of rows: the student's scores, the teacher's next to them, losses, and the student's gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lastlayer.losses import LossOptions
from lastlayer.torch.linear.blocks import (
    Accumulator,
    Block,
    Gradients,
    LossGradients,
    Wanted,
    scores_of_blocks,
)
from lastlayer.torch.linear.distillation.goals import TeacherGoal
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.distillation.rows import rows_of
from lastlayer.torch.linear.sharded.gradients import SliceGradients
from lastlayer.torch.linear.sharded.row_pass import Found, RowPass

Tensor = torch.Tensor


def loss_of_problem(
    problem: Problem, input: Tensor, weight: Tensor, bias: Tensor | None, options: LossOptions, wanted: Wanted
) -> Found:
    """The reduced loss, and gradients that are those of the loss times a scale."""
    call = problem.call
    denominators, is_counted = problem.weights(slice(None), options)
    through = RowPass(input, options, torch.where(is_counted, denominators, 0.0), is_counted)
    rows = through.rows
    losses_of = rows_of(problem, through.options)
    sums = _sums(problem, input, weight, bias, wanted, rows)
    student = scores_of_blocks(
        input, weight, bias, call.agreement.height, rows, lambda: sums.tail, is_wide=call.is_wide
    )
    for block, teacher in zip(student, _teacher_blocks(problem, rows, input.shape[0]), strict=True):
        through.losses[block.place] = losses_of(block, teacher, any(wanted))
        if any(wanted):
            sums.add(block, block.scores)
    gradients: Gradients = sums.finish() if isinstance(sums, Accumulator) else sums.finish(call.wire)
    return through.found(LossGradients(*gradients, labels=through.losses.new_empty(0)))


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
