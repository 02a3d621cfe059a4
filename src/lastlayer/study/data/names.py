"""The names of a table's columns."""

from __future__ import annotations

from pathlib import Path

from lastlayer.study.error import StudyError


def check_names(names: list[str], path: Path) -> None:
    """Raise StudyError where two columns share a name."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise StudyError(
                f"{path.name} has more than one column named {name!r}; give each column a name of its own."
            )
        seen.add(name)
