"""What is timed: for every mapping its probabilities and its loss with gradient; for softmax, whose peers compute more, all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lastlayer.mappings import MAPPINGS, ProbabilityMapping

Quantity = Literal["probabilities", "log_probabilities", "logsumexp", "loss", "loss_and_grad"]


@dataclass(frozen=True)
class Operation:
    """One quantity of one mapping, into an existing buffer or as a fresh result."""

    #: What is computed, as the peers' tables name it: "softmax", "cross_entropy_grad", "sparsemax_loss_grad".
    computes: str
    mapping: ProbabilityMapping
    quantity: Quantity
    #: A new array a call, whose memory pages the system must first provide; otherwise into a buffer that exists.
    fresh: bool = False

    @property
    def name(self) -> str:
        """The name on the command line, in tables and in the record."""
        return f"{self.computes}_fresh" if self.fresh else self.computes

    @property
    def floor(self) -> Literal["copy", "read"]:
        """What any method must do: read the scores once, and write as much where the result is as large."""
        return "read" if self.quantity in ("logsumexp", "loss") else "copy"

    @property
    def has_loss(self) -> bool:
        """A loss is among the results."""
        return self.quantity in ("loss", "loss_and_grad")


#: The operations of softmax, whose names the peers share.
_OF_SOFTMAX: tuple[tuple[str, Quantity, bool], ...] = (
    ("softmax", "probabilities", False),
    ("softmax", "probabilities", True),
    ("log_softmax", "log_probabilities", False),
    ("log_softmax", "log_probabilities", True),
    ("logsumexp", "logsumexp", False),
    ("cross_entropy", "loss", False),
    ("cross_entropy_grad", "loss_and_grad", False),
    ("cross_entropy_grad", "loss_and_grad", True),
)


def all_operations() -> dict[str, Operation]:
    """Every operation by its name, in the order of MAPPINGS.

    >>> list(all_operations())[-2:]
    ['entmax', 'entmax_loss_grad']
    """
    operations = []
    for name, mapping in MAPPINGS.items():
        if name == "softmax":
            operations += [Operation(computes, mapping, quantity, fresh) for computes, quantity, fresh in _OF_SOFTMAX]
        else:
            operations.append(Operation(name, mapping, "probabilities"))
            operations.append(Operation(f"{name}_loss_grad", mapping, "loss_and_grad"))
    return {operation.name: operation for operation in operations}
