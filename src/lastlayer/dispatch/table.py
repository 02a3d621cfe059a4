"""Which implementation serves this array: a table, walked from the fastest to the portable formulas that serve everything.

A framework's adapter (`lastlayer.torch`) adds its own entry when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lastlayer.dispatch.frameworks import framework_of
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

Array = Any


class Request(NamedTuple):
    """What is asked for: a quantity of a mapping ("probabilities", "log_probabilities", "log_partition"), or its "loss"."""

    mapping: ProbabilityMapping
    quantity: str
    is_soft: bool = False
    options: LossOptions | None = None


@dataclass(frozen=True)
class Implementation:
    """One way to compute. Scores come in with the classes last; results go out in the dtype that callers see.

    Both functions take `out`, an array of the result's shape and dtype with the classes last, or None. An implementation
    may write the result there and return it; the caller copies what comes back as another array.
    """

    name: str
    description: str
    serves: Callable[[Array, Request], bool]
    #: (mapping, scores, quantity, out) with quantity one of "probabilities", "log_probabilities", "log_partition".
    evaluate: Callable[..., Array]
    #: (mapping, scores, targets, is_soft, options, with_gradient, out) → (reduced loss or parts, its gradient or None).
    loss: Callable[..., tuple[Any, Array | None]]


_TABLE: list[Implementation] = []


def register(implementation: Implementation) -> None:
    """Put an implementation before those already in the table."""
    _TABLE.insert(0, implementation)


def implementations() -> tuple[Implementation, ...]:
    """The table, in the order in which it is asked."""
    return tuple(_TABLE)


def implementation_for(scores: Array, request: Request) -> Implementation:
    """The first implementation that serves this request on these scores."""
    framework_of(scores)
    for entry in _TABLE:
        if entry.serves(scores, request):
            return entry
    raise LookupError("no implementation is registered")
