"""Mappings as operators name them: an operator takes strings and tensors, so a record is passed as its key."""

from __future__ import annotations

import torch
from torch.fx.experimental.symbolic_shapes import guard_scalar

from lastlayer.backends.torch.tensor_state import refuse_gradient
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

#: Records that operators were called with, by key. A built-in one is found again by its name in another process too.
_RECORDS: dict[str, ProbabilityMapping] = {}


def key_of(mapping: ProbabilityMapping) -> str:
    """The string under which operators find the record. A parameter with one value per row is left out, see `row_parameter`."""
    if mapping.is_built_in:
        return mapping.name if row_parameter(mapping) is not None else _with_constants(mapping).label
    return _key_of_users_own(mapping)


def _with_constants(mapping: ProbabilityMapping) -> ProbabilityMapping:
    """While tracing: fixes a symbolic number, since it becomes part of a name."""
    if not torch.compiler.is_compiling():
        return mapping
    return mapping.replace(**{name: guard_scalar(value) for name, value in mapping.values.items()})


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _key_of_users_own(mapping: ProbabilityMapping) -> str:
    # Kept for good: a compiled graph may name it as long as the process lives, and its id must not be used again.
    key = f"{mapping.name}#{id(mapping)}"
    _RECORDS[key] = mapping
    return key


def row_parameter(mapping: ProbabilityMapping) -> torch.Tensor | None:
    """The mapping's parameter if it is a tensor, with one value per row."""
    return mapping.parameter if isinstance(mapping.parameter, torch.Tensor) else None


def by_rows(mapping: ProbabilityMapping, rows: torch.Size) -> ProbabilityMapping:
    """The mapping with a tensor parameter expanded to one value per row, as operators take it.

    Raises:
        TypeError: the parameter requires a gradient, for which the record has no formula.
    """
    parameter = row_parameter(mapping)
    if parameter is None:
        return mapping
    name = next(name for name, value in mapping.values.items() if value is parameter)
    if mapping.tangent is None or mapping.parameter_slope is None or mapping.regularizer_slope is None:
        refuse_gradient(name, parameter)
    return mapping if parameter.shape == rows else mapping.replace(**{name: parameter.expand(rows)})


def record_of(key: str, parameter: torch.Tensor | None) -> ProbabilityMapping:
    """The record of a key, with the parameter that has one value per row put back."""
    record = _RECORDS.get(key)
    if record is None:
        record = _RECORDS[key] = resolve_mapping(key)
    if parameter is None:
        return record
    return record.replace(**{next(p.name for p in record.parameters if p.per_row): parameter})
