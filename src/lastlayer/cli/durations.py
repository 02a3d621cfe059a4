"""Durations on the command line: 90, 90s, 10m, 1.5h."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class _Duration(click.ParamType):  # type: ignore[type-arg]
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", str(value).strip().lower())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no duration above zero; give one such as 90s, 10m or 1.5h.", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


#: The type of options that are durations; seconds arrive.
DURATION = _Duration()
