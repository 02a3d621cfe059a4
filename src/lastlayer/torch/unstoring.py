"""A linear head that returns `LazyScores` while its model computes a loss; FSDP may wrap it before or after."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from lastlayer.backends.torch.sharding import is_sharded
from lastlayer.torch.lazy_scores import LazyScores

Tensor = torch.Tensor


class UnstoringLinear(torch.nn.Linear):
    """A torch.nn.Linear, except while `is_unstoring` is set."""

    is_unstoring = False

    def forward(self, input: Tensor) -> Any:
        """The scores, or lazy scores while a loss is computed."""
        if not self.is_unstoring:
            return super().forward(input)
        if is_sharded(self.weight):
            raise TypeError(
                "the head's weight is sharded (a DTensor) during forward; keep the head whole (no tensor parallelism), "
                "in FSDP's root group or in a unit that holds the head alone."
            )
        return LazyScores(input, self.weight, self.bias)


def is_fsdp(module: Any) -> bool:
    """Whether `torch.distributed.fsdp.fully_shard` manages this module itself."""
    # By name: importing torch.distributed.fsdp is slow, and its module differs between versions of torch.
    return any(cls.__name__ == "FSDPModule" for cls in type(module).__mro__)


def without_fsdp(cls: type[Any]) -> type[Any]:
    """The class without the one that `fully_shard` put in front of it."""
    return next(c for c in cls.__mro__ if not any(base.__name__ == "FSDPModule" for base in c.__mro__))


def take_over(head: Any) -> UnstoringLinear | None:
    """The head as an UnstoringLinear; None if it is not a plain torch.nn.Linear, or a hook replaces its forward."""
    if not isinstance(head, torch.nn.Linear) or "forward" in head.__dict__:
        return None
    plain = without_fsdp(type(head))
    if plain is torch.nn.Linear:
        head.__class__ = _unstoring(type(head))  # type: ignore[arg-type]
    elif plain is not UnstoringLinear:
        return None
    assert isinstance(head, UnstoringLinear)
    return head


def give_back(head: Any) -> None:
    """Undo `take_over`. If FSDP put a class on top later, the head keeps its class, which then does nothing."""
    if isinstance(head, UnstoringLinear):
        head.__dict__.pop("is_unstoring", None)
        if type(head) is UnstoringLinear:
            head.__class__ = torch.nn.Linear  # type: ignore[assignment]
        elif type(head).__bases__[0] is UnstoringLinear:
            head.__class__ = type(head).__bases__[1]


@functools.cache
def _unstoring(head_class: Any) -> type[Any]:
    """UnstoringLinear, in front of the class that FSDP gave the head."""
    if head_class is torch.nn.Linear:
        return UnstoringLinear
    return type(head_class.__name__, (UnstoringLinear, head_class), {"__module__": head_class.__module__})


def with_weight(head: UnstoringLinear, scores: LazyScores, compute: Callable[[LazyScores], Tensor]) -> Tensor:
    """Call `compute` with the weight in memory: a head that is an FSDP unit has freed it after its forward."""
    if not is_fsdp(head):
        return compute(scores)
    unit: Any = head
    unit.unshard()
    try:
        return compute(scores.of(head.weight, head.bias))
    finally:
        # The loss has computed the weight's gradient, so backward does not need the weight again.
        unit.reshard()
