"""Sparse targets under softmax: k named classes and one class made of the rest, whose score is R = logsumexp of theirs.

So each row is a problem of k + 1 classes. Its slope G in R is shared by the rest: e^(x − R)·G. Between processes go k + 2 numbers
per row: the named scores, and the largest score of the rest with the sum of its terms.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.losses import LossOptions, partition_penalty
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.distillation.chunks import chunks
from lastlayer.torch.linear.distillation.divergences import Distribution, divergence_terms, softmax_slopes
from lastlayer.torch.linear.distillation.formulas import formula_rows, local_indices
from lastlayer.torch.linear.distillation.goals import SparseGoal
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.sharded.softmax import finite_or_zero, infinite_rows, part_of

Tensor = torch.Tensor


class SparseSoftmaxRows:
    """The losses and slopes of blocks."""

    def __init__(self, problem: Problem, options: LossOptions) -> None:
        assert isinstance(problem.goal, SparseGoal)
        self._problem, self._goal, self._options = problem, problem.goal, options

    def __call__(self, block: Block, teacher: Tensor | None, with_gradient: bool) -> Tensor:
        """The losses (n,) of whole rows, float64. With a gradient, the slopes of this slice replace its scores."""
        problem = self._problem
        index = local_indices(problem, block.place)
        named, largest, total = self._gathered(block, index)
        anchor = finite_or_zero(largest)
        rest = anchor + torch.log(total)
        # With infinite scores the formulas of the record decide.
        infinite = infinite_rows(torch.maximum(largest, named.amax(1)))
        others = [part_of(block, rows, len(problem.call.targets)) for rows in infinite]
        losses, slopes = self._of_few(block.place, torch.cat([named, rest[:, None]], 1))
        if with_gradient:
            share = slopes[:, -1] * torch.exp(anchor - finite_or_zero(rest))
            self._store(block, index, slopes[:, :-1], anchor, share)
        for rows, part in zip(infinite, others, strict=True):
            losses[rows] = formula_rows(problem, self._options, part, None, with_gradient)
            block.scores[rows] = part.scores
        return losses

    def _scores(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Some rows in float32 at least, with one more column, of −inf: before and after softcap and temperature."""
        dtype = torch.promote_types(scores.dtype, torch.float32)
        raw = scores.new_empty((scores.shape[0], scores.shape[1] + 1), dtype=dtype)
        raw[:, :-1] = scores
        raw[:, -1] = -float("inf")
        x = self._problem.call.options.activation(raw, xp)
        if x is not raw:
            # A softcap makes −inf finite.
            x[:, -1] = -float("inf")
        return raw, x

    def _gathered(self, block: Block, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The named scores (n, k), the largest score of the rest, and the sum of its terms, of whole rows."""
        rows, k = index.shape
        own = torch.full((k + 2, rows), -float("inf"), dtype=torch.float64, device=index.device)
        own[1] = 0.0
        for some in chunks(block.scores):
            _, x = self._scores(block.scores[some])
            own[2:, some] = x.gather(1, index[some]).T
            x.scatter_(1, index[some], -float("inf"))
            most = x.amax(1)
            own[0, some] = most
            own[1, some] = x.sub_(finite_or_zero(most)[:, None]).exp_().sum(1, dtype=torch.float64)
        gathered = self._problem.call.wire.gather(own)
        largest = gathered[:, 0].amax(0)
        total = (torch.exp(finite_or_zero(gathered[:, 0]) - finite_or_zero(largest)) * gathered[:, 1]).sum(0)
        # Each score is on one process; the others say −inf.
        return gathered[:, 2:].amax(0).T, largest, total

    def _of_few(self, place: slice | Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (n,) and slopes (n, k + 1) of the problem of k + 1 classes."""
        problem, options = self._problem, self._options
        point = problem.call.mapping.at(scores, xp)
        student = Distribution(point.probabilities(), point.log_probabilities())
        target = Distribution.of_logs(self._goal.logs(place, problem.call.classes))
        losses = divergence_terms(problem.divergence, student, target).sum(1)
        slopes = softmax_slopes(problem.divergence, student, target, None)
        if penalty := partition_penalty(point.log_partition, options):
            losses = losses + penalty[0]
            slopes = slopes + student.p * penalty[1][:, None]
        weight, is_counted = problem.weights(place, options)
        return (
            torch.where(is_counted, weight * losses, 0.0),
            torch.where(is_counted[:, None], weight[:, None] * slopes, 0.0),
        )

    def _store(self, block: Block, index: Tensor, named: Tensor, anchor: Tensor, share: Tensor) -> None:
        """The slopes of the named classes, and e^(x − anchor)·share for the rest."""
        activation = self._problem.call.options.activation
        is_counted = self._problem.weights(block.place, self._options)[1][:, None]
        for some in chunks(block.scores):
            raw, x = self._scores(block.scores[some])
            # The anchor is a score: in the scores' dtype it is exact.
            values = (x - anchor[some, None].to(x.dtype)).exp_().mul_(share[some, None].to(x.dtype))
            values.scatter_(1, index[some], named[some].to(x.dtype))
            pulled = activation.pull_back(raw, values, xp)[:, :-1]
            # On the CPU only rows that count are visited. The scores of others may be NaN.
            block.scores[some] = pulled if pulled.is_cpu else torch.where(is_counted[some], pulled, 0.0)
