"""Versions of packages, compared without importing the packages."""

from __future__ import annotations

import re

#: The Triton kernels are written for this version and newer ones; torch 2.9 brings it.
OLDEST_TRITON = "3.5"


def is_at_least(version: str, oldest: str) -> bool:
    """Whether a version is not older than another, by the numbers before any suffix; an unknown version is."""
    found = re.findall(r"\d+", re.match(r"[\d.]*", version)[0])  # type: ignore[index]
    return not found or [int(part) for part in found] >= [int(part) for part in oldest.split(".")]
