"""The arguments of an operator by name: its schema is the one place that knows their order."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any

import torch

from lastlayer.backends.torch.records import key_of, record_of, row_parameter
from lastlayer.losses import LossOptions
from lastlayer.losses.options import ARRAYS, SCHEMA
from lastlayer.mappings import ProbabilityMapping

Tensor = torch.Tensor


class Arguments:
    """The arguments that a schema lists: "Tensor scores, Tensor? bias, str mapping".

    `record(*values)` names them. Autograd keeps tensors and other values apart: `split` takes a record apart and `join` puts it
    together again.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        parts = [part.split() for part in schema.split(", ")]
        self.names = tuple(name for _, name in parts)
        self.record: Callable[..., Any] = namedtuple("Record", self.names)  # type: ignore[misc]
        self._is_tensor = tuple(kind.startswith("Tensor") for kind, _ in parts)

    def split(self, record: Iterable[Any]) -> tuple[list[Tensor | None], list[Any]]:
        """The values of type Tensor or Tensor?, and all others."""
        tensors: list[Tensor | None] = []
        others: list[Any] = []
        for value, is_tensor in zip(record, self._is_tensor, strict=True):
            (tensors if is_tensor else others).append(value)
        return tensors, others

    def join(self, tensors: Iterable[Tensor | None], others: Iterable[Any]) -> Any:
        """The record of what `split` returned."""
        of_tensors, of_others = iter(tensors), iter(others)
        return self.record(*(next(of_tensors if is_tensor else of_others) for is_tensor in self._is_tensor))

    def gradients(self, **gradients: Any) -> tuple[Any, ...]:
        """The gradients of the arguments, as backward returns them: None for those that are not given."""
        unknown = gradients.keys() - set(self.names)
        assert not unknown, unknown
        return tuple(gradients.get(name) for name in self.names)


#: In a head, `weight` is the head's weight.
_NAMES = {name: name for name in SCHEMA} | {"weight": "class_weight"}
_ARRAYS = ", ".join(f"{SCHEMA[name]} {_NAMES[name]}" for name in ARRAYS)
_OTHERS = ", ".join(f"{kind} {_NAMES[name]}" for name, kind in SCHEMA.items() if name not in ARRAYS)
#: Targets (soft if they are floats), mapping and options. `parameter` is the mapping's, if it has one value per row.
LOSS_SCHEMA = f"Tensor targets, {_ARRAYS}, Tensor? parameter, str mapping, {_OTHERS}"


def flatten(mapping: ProbabilityMapping, targets: Tensor, options: LossOptions) -> tuple[Any, ...]:
    """The arguments of `LOSS_SCHEMA`."""
    arrays = [getattr(options, name) for name in ARRAYS]
    others = [_plain_number(getattr(options, name), SCHEMA[name]) for name in SCHEMA if name not in ARRAYS]
    return (targets, *arrays, row_parameter(mapping), key_of(mapping), *others)


def _plain_number(value: Any, kind: str) -> Any:
    """A float where the schema has one; the rest as it is."""
    return float(value) if kind.startswith("float") and value is not None else value


def problem_of(record: Any) -> tuple[ProbabilityMapping, Tensor, LossOptions]:
    """Mapping, targets and options from a record with the arguments of `LOSS_SCHEMA`."""
    options = LossOptions(**{name: getattr(record, shown) for name, shown in _NAMES.items()})
    return record_of(record.mapping, record.parameter), record.targets, options


def is_soft(targets: Tensor) -> bool:
    """Whether targets are distributions rather than labels."""
    return targets.dtype.is_floating_point
