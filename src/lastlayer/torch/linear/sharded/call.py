"""A call on slices after the handshake: everything that its forward and backward pass need besides the head's tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.sharded.handshake import Agreement
from lastlayer.torch.linear.sharded.namespace import SlicedNamespace
from lastlayer.torch.linear.sharded.records import sliced_record
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


@dataclass(frozen=True)
class Call:
    """What the processes have agreed on, and this process's slice."""

    wire: Wire
    agreement: Agreement
    #: The mapping as the user gave it.
    mapping: ProbabilityMapping
    #: Global labels (N,) as int64, or this process's slice of the soft targets.
    targets: Tensor
    options: LossOptions
    #: Whether half inputs have float32 scores.
    is_wide: bool
    #: What the processes compare before backward sends anything.
    facts: dict[str, object]

    @property
    def offset(self) -> int:
        """The first class of this process."""
        return self.agreement.offset(self.wire.rank)

    @property
    def size(self) -> int:
        """The number of classes of this process."""
        return self.agreement.sizes[self.wire.rank]

    @property
    def classes(self) -> int:
        """The number of classes of all processes."""
        return sum(self.agreement.sizes)

    @property
    def namespace(self) -> Any:
        """Where the formulas of the mapping are computed."""
        return SlicedNamespace(self.wire, not self.size)

    @property
    def record(self) -> ProbabilityMapping:
        """The mapping for rows in slices."""
        return sliced_record(self.mapping, self.wire, self.classes)

    def columns(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """float64 values (..., K of this process); one column of `fill` for a process without classes."""
        return values.double() if self.size else values.new_full((*values.shape[:-1], 1), fill, dtype=torch.float64)
