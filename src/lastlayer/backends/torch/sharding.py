"""DTensors: operators work on shards of rows, so no process gathers the scores; sharded classes are gathered first."""

from __future__ import annotations

import functools
from typing import Any

import torch

from lastlayer.backends.torch.reduction import inverse

Tensor = torch.Tensor


def is_sharded(tensor: Any) -> bool:
    """Whether a tensor is a DTensor."""
    return hasattr(tensor, "device_mesh")


def check_alike(**tensors: Any) -> None:
    """Refuse plain tensors next to DTensors; torch would refuse them too, but name some inner operation.

    Raises:
        TypeError: one of them is a plain tensor.
    """
    for name, tensor in tensors.items():
        if isinstance(tensor, torch.Tensor) and not is_sharded(tensor):
            raise TypeError(
                f"the scores are a DTensor, but {name} is a plain tensor; distribute it over the same mesh: "
                f"torch.distributed.tensor.distribute_tensor({name}, scores.device_mesh, [Replicate()])."
            )


def mean_of_parts(parts: tuple[Tensor, Tensor], gradient: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The mean over the rows of all processes, and its gradient, from the total and denominator that they sum."""
    total, denominator = parts
    factor = inverse(denominator)
    return total * factor, None if gradient is None else gradient * factor


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
@functools.cache
def register_rules() -> bool:
    """Register with DTensor how our operators may be sharded, once, when the first DTensor comes in."""
    # Imported here: it is slow, and a DTensor's owner has imported it already.
    from torch.distributed.tensor import DTensor
    from torch.distributed.tensor.experimental import register_sharding

    table = DTensor._op_dispatcher.sharding_propagator.op_to_schema_info
    for name in ("evaluate", "evaluate_backward", "loss", "loss_backward"):
        if hasattr(torch.ops.lastlayer, name):
            operator = getattr(torch.ops.lastlayer, name).default
            register_sharding(operator)(functools.partial(_placements, operator))
            # DTensor remembers the shape of a result by the arguments from here on; by default only integers count.
            table[operator].static_argnum = 1
    return True


def _placements(operator: Any, *arguments: Any) -> list[tuple[list[Any], list[Any]]]:
    """Placements of (results, arguments) on one axis of a mesh: all whole, or all rows sharded along the same axis."""
    from torch.distributed.tensor import Partial, Replicate, Shard

    given = {known.name: value for known, value in zip(operator._schema.arguments, arguments, strict=True)}
    scores: Any = given.get("scores", given.get("kept"))
    reduction = given.get("reduction", "none")
    whole = [Replicate() if _is_tensor(value) else None for value in arguments]
    found: list[tuple[list[Any], list[Any]]] = [([Replicate()] * len(operator._schema.returns), whole)]
    if reduction == "mean":
        return found
    for axis in range(scores.ndim - 1):
        rows: Any = Shard(axis)
        results: list[Any] = [rows]
        if operator._schema.name == "lastlayer::loss":
            sums = rows if reduction == "none" else Partial("sum")
            denominator = Partial("sum") if reduction == "parts" else Replicate()
            results = [sums, denominator, rows if given["with_gradient"] else Replicate()]
        inputs = [
            (Replicate() if name == "class_weight" or value.ndim == 0 else rows) if _is_tensor(value) else None
            for name, value in given.items()
        ]
        found.append((results, inputs))
    return found


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "placements")
