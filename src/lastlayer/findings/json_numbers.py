"""Numbers in JSON: infinities as the strings "inf" and "-inf", what is missing as null, so that the JSON is JSON."""

from __future__ import annotations

import math
from typing import Any


def to_json(value: Any) -> Any:
    """`value` with every number in it as JSON can carry it.

    Tuples become lists, NumPy scalars Python ones.

    >>> to_json({"mean": float("inf"), "low": float("nan"), "n": 3})
    {'mean': 'inf', 'low': None, 'n': 3}
    """
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def from_json(value: Any, kind: str) -> Any:
    """The value of a column of that kind ("float64", or anything that JSON carries as it is) that `to_json` wrote.

    >>> from_json("-inf", "float64"), from_json(None, "float64"), from_json("inf", "str")
    (-inf, nan, 'inf')

    Raises:
        ValueError: to_json writes no such number.
    """
    if kind != "float64":
        return value
    if isinstance(value, bool) or (isinstance(value, str) and value not in ("inf", "-inf")):
        raise ValueError(f"{value!r} is no number that to_json wrote")
    return math.nan if value is None else float(value)
