"""A built-in mapping is pickled as its name and parameters, since its formulas are closures, which cannot be pickled."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lastlayer.mappings.record import BUILT_IN, ProbabilityMapping


def register_built_in(known: Mapping[str, ProbabilityMapping]) -> None:
    """Make these records the built-in ones: pickle and copy then write them by name, and any process finds them again."""
    BUILT_IN.update(known)
    copyreg.pickle(ProbabilityMapping, _reduce)  # type: ignore[arg-type]


def _reduce(mapping: ProbabilityMapping) -> Any:
    original = BUILT_IN.get(mapping.name)
    if original is None or replace(mapping, values=original.values) != original:
        return mapping.__reduce_ex__(4)
    return restore, (mapping.name, dict(mapping.values))


def restore(name: str, values: dict[str, Any]) -> ProbabilityMapping:
    """The record with this name and these parameter values."""
    return BUILT_IN[name].replace(**values) if values else BUILT_IN[name]
