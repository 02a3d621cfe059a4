"""From what a user writes to a record: "sparsemax", "entmax:alpha=1.3", or a record itself."""

from __future__ import annotations

import difflib

from lastlayer.mappings import MAPPINGS, ProbabilityMapping


def resolve_mapping(mapping: str | ProbabilityMapping) -> ProbabilityMapping:
    """The record that `mapping` names.

    Args:
        mapping: "sparsemax", "entmax:alpha=1.3", or a `ProbabilityMapping`.

    Raises:
        TypeError: neither a string nor a record, or a parameter that the mapping does not have.
        ValueError: an unknown name, or a parameter outside its range.

    >>> resolve_mapping("entmax:alpha=1.3").label
    'entmax:alpha=1.3'
    """
    if isinstance(mapping, ProbabilityMapping):
        return mapping
    if not isinstance(mapping, str):
        raise TypeError(f"mapping is {mapping!r}; give a name such as 'softmax' or a ProbabilityMapping.")
    name, _, options = mapping.strip().partition(":")
    if name not in MAPPINGS:
        near = difflib.get_close_matches(name, MAPPINGS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(MAPPINGS)}."
        raise ValueError(f"There is no mapping {name!r}; {hint}")
    record = MAPPINGS[name]
    values: dict[str, float | int] = {}
    for option in filter(None, options.split(",")):
        key, equals, text = option.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        key = key.strip()
        if not equals or number != number:
            raise ValueError(f"{option!r} in {mapping!r} is not parameter=number, as in 'entmax:alpha=1.3'.")
        if key in values:
            raise ValueError(f"{mapping!r} gives {key} twice; give it once.")
        values[key] = int(number) if number.is_integer() and "." not in text else number
    return record.replace(**values) if values else record
