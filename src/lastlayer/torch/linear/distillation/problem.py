"""A distillation loss after the checks: the head's call, on one process or in slices, and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.distillation.goals import SparseGoal, TeacherGoal
from lastlayer.torch.linear.sharded.call import Call

Tensor = torch.Tensor

#: The label of rows that do not count, among `call.targets`.
IGNORED = -100


class Alone:
    """The group of one process, which sends nothing."""

    rank, size = 0, 1

    def gather(self, numbers: Tensor) -> Tensor:
        """The numbers of every process, (1, …)."""
        return numbers[None]


@dataclass(frozen=True)
class Problem:
    """What the passes over the blocks need besides the student's tensors.

    `call.targets` are 0, and `IGNORED` for rows that name no class.
    """

    call: Call
    goal: SparseGoal | TeacherGoal
    divergence: str

    @property
    def is_alone(self) -> bool:
        """Whether this process has all classes."""
        return isinstance(self.call.wire, Alone)

    @property
    def namespace(self) -> Any:
        """Where reductions over the classes are those of whole rows."""
        return xp if self.is_alone else self.call.namespace

    @property
    def record(self) -> ProbabilityMapping:
        """The mapping, to be evaluated in the namespace."""
        return self.call.mapping if self.is_alone else self.call.record

    def weights(self, place: slice | Tensor, options: LossOptions) -> tuple[Tensor, Tensor]:
        """The weight of each row, float64, and whether it counts."""
        is_counted = self.call.targets[place] != IGNORED
        if options.sample_weight is None:
            return is_counted.double(), is_counted
        weight = options.sample_weight[place].double()
        return weight, is_counted & (weight != 0)
