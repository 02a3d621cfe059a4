"""A mapping by name, by name with parameters, or as a record."""

from __future__ import annotations

from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.mappings.names import resolve


def resolve_mapping(mapping: str | ProbabilityMapping) -> ProbabilityMapping:
    """The record that `mapping` names.

    Args:
        mapping: "sparsemax", "entmax:alpha=1.3", or a `ProbabilityMapping`.

    Raises:
        TypeError: neither a string nor a record, or a parameter that the mapping has not.
        ValueError: an unknown name, or a parameter outside its range.

    >>> resolve_mapping("entmax:alpha=1.3").label
    'entmax:alpha=1.3'
    """
    return resolve(mapping, MAPPINGS)
