"""A teacher's head under softmax in slices: both rows of scores in chunks that stay in cache, with two small gathers per block."""

from __future__ import annotations

from typing import NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.backends.torch.softmax_rows import row_sums
from lastlayer.losses import LossOptions, partition_penalty
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.distillation.chunks import chunks
from lastlayer.torch.linear.distillation.divergences import (
    Distribution,
    are_close,
    close_losses_and_slopes,
    divergence_terms,
    slope_in_p,
    softmax_slopes,
)
from lastlayer.torch.linear.distillation.formulas import formula_rows
from lastlayer.torch.linear.distillation.goals import TeacherGoal
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.sharded.softmax import infinite_rows, part_of, whole_rows

Tensor = torch.Tensor


class Partition(NamedTuple):
    """Per row (n,), float64, the same on every process: log p = (x − largest) − log_sum."""

    largest: Tensor
    log_sum: Tensor


class TeacherSoftmaxRows:
    """The losses and slopes of blocks."""

    def __init__(self, problem: Problem, options: LossOptions) -> None:
        assert isinstance(problem.goal, TeacherGoal)
        self._problem, self._goal, self._options = problem, problem.goal, options

    def __call__(self, block: Block, teacher: Tensor | None, with_gradient: bool) -> Tensor:
        """The losses (n,) of whole rows, float64. With a gradient, the slopes of this slice replace its scores."""
        problem = self._problem
        assert teacher is not None
        student, target = self._partitions(block, teacher)
        infinite = infinite_rows(torch.maximum(student.largest, target.largest))
        others = [(rows, part_of(block, rows, len(problem.call.targets)), teacher[rows]) for rows in infinite]
        losses = self._losses(block, teacher, student, target, with_gradient)
        for rows, part, scores in others:
            losses[rows] = formula_rows(problem, self._options, part, scores, with_gradient)
            block.scores[rows] = part.scores
        return losses

    def _partitions(self, block: Block, teacher: Tensor) -> tuple[Partition, Partition]:
        call = self._problem.call
        if call.size:
            nowhere = torch.full((len(teacher),), -1, device=teacher.device)
            heads = ((block.scores, call.options.activation), (teacher, self._goal.activation))
            sums = [row_sums(scores, nowhere, activation) for scores, activation in heads]
            own = torch.stack([number for each in sums for number in (each.largest, each.others)])
        else:
            own = torch.zeros((4, len(teacher)), dtype=torch.float64, device=teacher.device)
            own[::2] = -float("inf")
        gathered = call.wire.gather(own)
        student, target = whole_rows(gathered[:, :2]), whole_rows(gathered[:, 2:])
        return Partition(student[0], torch.log1p(student[1])), Partition(target[0], torch.log1p(target[1]))

    def _student(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Scores in float64, before and after softcap and temperature."""
        raw = scores.double()
        return raw, self._problem.call.options.activation(raw, xp)

    def _target(self, scores: Tensor) -> Tensor:
        found: Tensor = self._goal.activation(scores.double(), xp)
        return found

    def _losses(
        self, block: Block, teacher: Tensor, student: Partition, target: Partition, with_gradient: bool
    ) -> Tensor:
        options, kind, wire = self._options, self._problem.divergence, self._problem.call.wire
        weight, is_counted = self._problem.weights(block.place, options)
        penalty = partition_penalty(lambda: student.largest + student.log_sum, options)
        rows = len(teacher)
        own = torch.zeros((2, rows), dtype=torch.float64, device=teacher.device)

        def both(some: slice) -> tuple[Tensor, Distribution, Distribution]:
            raw, x = self._student(block.scores[some])
            return raw, _distribution(x, student, some), _distribution(self._target(teacher[some]), target, some)

        def store(some: slice, raw: Tensor, p: Distribution, slopes: Tensor) -> None:
            if penalty:
                slopes = slopes + p.p * penalty[1][some, None]
            pulled = self._problem.call.options.activation.pull_back(raw, weight[some, None] * slopes, xp)
            block.scores[some] = torch.where(is_counted[some, None], pulled, 0.0)

        # The slopes of the forward divergence need no further sum of the row.
        is_forward = kind == "forward"
        for some in chunks(teacher):
            raw, p, y = both(some)
            if is_forward:
                own[0, some], slopes = _forward(p, y, with_gradient)
                if slopes is not None:
                    store(some, raw, p, slopes)
                continue
            own[0, some] = divergence_terms(kind, p, y).sum(1)
            if with_gradient:
                own[1, some] = (p.p * slope_in_p(kind, p, y)).sum(1)
        losses, mean = wire.gather(own).sum(0)
        if with_gradient and not is_forward:
            for some in chunks(teacher):
                raw, p, y = both(some)
                store(some, raw, p, softmax_slopes(kind, p, y, mean[some, None]))
        if penalty:
            losses = losses + penalty[0]
        return torch.where(is_counted, weight * losses, 0.0)


def _forward(p: Distribution, y: Distribution, with_gradient: bool) -> tuple[Tensor, Tensor | None]:
    """The sum of this slice's terms, and p − y if asked for."""
    d = p.log - y.log
    if are_close(d):
        return close_losses_and_slopes("forward", p.log, y.log, d)
    losses = divergence_terms("forward", p, y).sum(1)
    return losses, softmax_slopes("forward", p, y, None) if with_gradient else None


def _distribution(x: Tensor, row: Partition, some: slice) -> Distribution:
    return Distribution.of_logs((x - row.largest[some, None]).sub_(row.log_sum[some, None]))
