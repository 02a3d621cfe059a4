"""A teacher's head under softmax on one process: some rows of both heads at a time, from logits to slopes while they are in cache.

The logarithms come from the kernels, so each has the mapping's error bound. In float32 for inputs of float32 and half types.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.activation import Activation
from lastlayer.backends.torch.rows import evaluate_rows
from lastlayer.losses import LossOptions, partition_penalty
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.distillation.chunks import chunks
from lastlayer.torch.linear.distillation.divergences import (
    Distribution,
    are_close,
    close_losses_and_slopes,
    divergence_terms,
    softmax_slopes,
)
from lastlayer.torch.linear.distillation.goals import TeacherGoal
from lastlayer.torch.linear.distillation.problem import Problem

Tensor = torch.Tensor


class TeacherSoftmaxChunks:
    """The losses and slopes of blocks."""

    def __init__(self, problem: Problem, options: LossOptions) -> None:
        assert isinstance(problem.goal, TeacherGoal)
        self._problem, self._goal, self._options = problem, problem.goal, options

    def __call__(self, block: Block, teacher: Tensor | None, with_gradient: bool) -> Tensor:
        """The losses (n,), float64. With a gradient, the slopes replace the scores."""
        assert teacher is not None
        weight, is_counted = self._problem.weights(block.place, self._options)
        losses = torch.zeros_like(weight)
        for some in chunks(teacher):
            losses[some] = self._losses(
                block.scores[some], teacher[some], weight[some], is_counted[some, None], with_gradient
            )
        return torch.where(is_counted, weight * losses, 0.0)

    def _losses(
        self, scores: Tensor, teacher: Tensor, weight: Tensor, is_counted: Tensor, with_gradient: bool
    ) -> Tensor:
        kind, activation = self._problem.divergence, self._problem.call.options.activation
        # One dtype for both: a wider teacher is rounded no more than the student is.
        dtype = torch.promote_types(torch.promote_types(scores.dtype, teacher.dtype), torch.float32)
        raw = scores.to(dtype)
        x = _activated(raw, activation)
        penalty = partition_penalty(lambda: self._evaluate(x, "log_partition").double(), self._options)
        # In place: x may be the scores themselves, but not under a softcap, whose slope needs them.
        log_p = self._evaluate(x, "log_probabilities", x)
        target = _activated(teacher.to(dtype), self._goal.activation)
        log_y = self._evaluate(target, "log_probabilities", target)
        losses, slopes = _losses_and_slopes(kind, log_p, log_y, with_gradient)
        if penalty:
            losses += penalty[0]
        if slopes is not None:
            if penalty:
                slopes += torch.exp(log_p) * penalty[1][:, None].to(dtype)
            slopes = activation.pull_back(raw, slopes.mul_(weight[:, None].to(dtype)), xp)
            # On the CPU only rows that count are visited. The scores of others may be NaN.
            scores.copy_(slopes if scores.is_cpu else torch.where(is_counted, slopes, 0.0))
        return losses

    def _evaluate(self, x: Tensor, quantity: str, out: Tensor | None = None) -> Tensor:
        return evaluate_rows(self._problem.call.mapping, x, quantity, out)


def _losses_and_slopes(kind: str, log_p: Tensor, log_y: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor | None]:
    """The divergence (n,) in float64, and its gradient in the activated scores if asked for."""
    if kind != "js":
        d = log_p - log_y
        if are_close(d):
            return close_losses_and_slopes(kind, log_p, log_y, d)
    p, y = Distribution.of_logs(log_p), Distribution.of_logs(log_y)
    losses = divergence_terms(kind, p, y).sum(1, dtype=torch.float64)
    return losses, softmax_slopes(kind, p, y, None) if with_gradient else None


def _activated(scores: Tensor, activation: Activation) -> Tensor:
    found: Tensor = activation(scores, xp)
    return found
