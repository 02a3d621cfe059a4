"""The records of the mappings in a report."""

from __future__ import annotations

from collections.abc import Iterable

from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.reading import Row


def records(rows: Iterable[Row]) -> dict[str, ProbabilityMapping]:
    """The records of the mappings that the library knows by their labels."""
    known = {}
    for row in rows:
        try:
            known[row.label] = resolve_mapping(row.label)
        except (TypeError, ValueError):
            # A mapping of the user's own: the page then has its name and numbers, but no equation.
            continue
    return known
