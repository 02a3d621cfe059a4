"""Mappings as operators name them: an operator takes strings and tensors, so a record travels as its key."""

from __future__ import annotations

import torch
from torch.fx.experimental.symbolic_shapes import guard_scalar

from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.plain import refuse_gradient

#: Records that operators were called with, by key. A built-in one is found again by its name in another process too.
_RECORDS: dict[str, ProbabilityMapping] = {}


def key_of(mapping: ProbabilityMapping) -> str:
    """The string under which operators find the record; a parameter of rows is left out, see `row_parameter`."""
    known = MAPPINGS.get(mapping.name)
    if known is not None and mapping.evaluate is known.evaluate:
        return mapping.name if row_parameter(mapping) is not None else _with_constants(mapping).label
    return _key_of_users_own(mapping)


def _with_constants(mapping: ProbabilityMapping) -> ProbabilityMapping:
    """Under tracing: a number that the graph would keep open is fixed, since it becomes part of a name."""
    if not torch.compiler.is_compiling():
        return mapping
    return mapping.replace(**{name: guard_scalar(value) for name, value in mapping.values.items()})


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _key_of_users_own(mapping: ProbabilityMapping) -> str:
    # Kept for good: a compiled graph may name it as long as the process lives, and its id stays taken.
    key = f"{mapping.name}#{id(mapping)}"
    _RECORDS[key] = mapping
    return key


def row_parameter(mapping: ProbabilityMapping) -> torch.Tensor | None:
    """The parameter that has one value a row, where the mapping was given one."""
    for value in mapping.values.values():
        if isinstance(value, torch.Tensor):
            return value
    return None


def by_rows(mapping: ProbabilityMapping, rows: torch.Size) -> ProbabilityMapping:
    """The mapping with its tensor parameter, where it has one, as one value per row, as operators take it.

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
    """The record of a key, with its parameter of rows put back."""
    record = _RECORDS.get(key)
    if record is None:
        record = _RECORDS[key] = resolve_mapping(key)
    if parameter is None:
        return record
    return record.replace(**{next(p.name for p in record.parameters if p.per_row): parameter})
