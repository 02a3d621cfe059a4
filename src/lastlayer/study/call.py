"""A call of `run_study` as text, so that a report says how to repeat it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

#: Arguments that change no result.
_WITHOUT_EFFECT = ("out", "jobs")
#: A longer value, such as labels, is shown by its type.
_LONGEST = 100


def call_of(dataset: Any, given: Mapping[str, Any]) -> str:
    """`run_study('data.csv', target='y', folds=3)`: the arguments that are not empty; what is no text or number by its type.

    >>> call_of("data.csv", {"target": "y", "folds": 3, "C": None, "drop": ()})
    "run_study('data.csv', target='y', folds=3)"
    """
    shown = [
        f"{name}={_text(value)}"
        for name, value in given.items()
        if name not in _WITHOUT_EFFECT and not _is_empty(value)
    ]
    return f"run_study({', '.join([_text(dataset), *shown])})"


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, (tuple, str)) and not value)


def _text(value: Any) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    is_plain = isinstance(value, (str, int, float, tuple, list, dict))
    text = repr(value) if is_plain else ""
    return text if text and len(text) <= _LONGEST else f"<{type(value).__name__}>"
