"""Which code computes the losses and slopes of a block, and how many buffers of a block's size it needs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.arguments import Head
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.distillation.formulas import formula_rows
from lastlayer.torch.linear.distillation.goals import SparseGoal, TeacherGoal
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.distillation.sparse_softmax import SparseSoftmaxRows
from lastlayer.torch.linear.distillation.teacher_chunks import TeacherSoftmaxChunks
from lastlayer.torch.linear.distillation.teacher_softmax import TeacherSoftmaxRows
from lastlayer.torch.linear.sharded.formula_rows import buffers_of
from lastlayer.torch.linear.sharded.softmax import is_softmax

Tensor = torch.Tensor

#: Tables of (n, k) numbers in float64 that exist at one time for sparse targets of a block.
_COPIES = 8
#: (block, the teacher's scores, with_gradient) → losses (n,) in float64; the slopes replace the scores of the block.
Rows = Callable[[Block, Tensor | None, bool], Tensor]


def rows_of(problem: Problem, options: LossOptions) -> Rows:
    """The losses and slopes of blocks under this problem's mapping and targets."""
    if not is_softmax(problem.call.mapping):
        return lambda block, teacher, with_gradient: formula_rows(problem, options, block, teacher, with_gradient)
    if isinstance(problem.goal, SparseGoal):
        return SparseSoftmaxRows(problem, options)
    return TeacherSoftmaxChunks(problem, options) if problem.is_alone else TeacherSoftmaxRows(problem, options)


def buffers(mapping: ProbabilityMapping, goal: SparseGoal | TeacherGoal, head: Head, is_alone: bool) -> int:
    """How many buffers of a block's size the loss needs: one per head, and the formulas' if they take a block at a time.

    The problem of k + 1 classes of sparse targets counts as well, where k is no longer small.
    """
    heads = 2 if isinstance(goal, TeacherGoal) else 1
    found = heads if is_alone or is_softmax(mapping) else heads * buffers_of(head.input.dtype)
    if isinstance(goal, TeacherGoal):
        return found
    row_bytes = max(1, head.weight.shape[0]) * head.input.dtype.itemsize
    return found + round(_COPIES * 8 * goal.indices.shape[1] / row_bytes)
