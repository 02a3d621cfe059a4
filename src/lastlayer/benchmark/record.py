"""What a run found, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lastlayer.files import replace_text

OURS = "lastlayer"
SCHEMA = 1


class Timing(NamedTuple):
    """Seconds of a contender in one cell: the shortest and the median, and the number of calls."""

    best: float
    median: float
    calls: int


@dataclass(frozen=True)
class Cell:
    """One shape and operation: everybody's time, and whose result was wrong."""

    shape: tuple[int, int]
    operation: str
    #: "copy" or "read".
    floor: str
    #: Ways to reach the floor → time.
    floors: Mapping[str, Timing]
    #: Contender → time.
    timings: Mapping[str, Timing]
    #: Contender → what is wrong with its result; it has no time.
    refused: Mapping[str, str]

    @property
    def floor_seconds(self) -> float:
        """The fastest way to reach the floor."""
        return min(timing.best for timing in self.floors.values())

    @property
    def floor_ratio(self) -> float | None:
        """Our time over the floor; None where our result was refused."""
        ours = self.timings.get(OURS)
        return None if ours is None else ours.best / self.floor_seconds

    @property
    def ratios(self) -> dict[str, float]:
        """Peer → our time over its time: below 1 we are ahead."""
        ours = self.timings.get(OURS)
        if ours is None:
            return {}
        return {name: ours.best / timing.best for name, timing in self.timings.items() if name != OURS}

    @property
    def best_peer(self) -> tuple[str, float] | None:
        """The fastest peer and our time over its time; None where there is no peer."""
        return max(self.ratios.items(), key=lambda item: item[1], default=None)

    @property
    def is_behind(self) -> bool:
        """Some peer is faster than we are."""
        return self.best_peer is not None and self.best_peer[1] > 1


@dataclass(frozen=True)
class LargestError:
    """A contender's largest error on one kind of rows; `result` is "values" or "loss", `unit` "ULP" or "eps"."""

    computes: str
    contender: str
    rows: str
    result: str
    unit: str
    error: float


@dataclass(frozen=True)
class Record:
    """A whole run."""

    facts: Mapping[str, Any]
    left_out: tuple[str, ...]
    cells: tuple[Cell, ...]
    errors: tuple[LargestError, ...]

    @property
    def peers(self) -> tuple[str, ...]:
        """The peers that were timed, in the order of the run."""
        return tuple(dict.fromkeys(name for cell in self.cells for name in cell.timings if name != OURS))

    def largest_error(self, computes: str, contender: str, rows: str | None = None) -> tuple[float, str] | None:
        """The largest over kinds of rows (or on one kind) and results, and its unit; None where it was not measured."""
        found = [
            (entry.error, entry.unit)
            for entry in self.errors
            if (entry.computes, entry.contender) == (computes, contender) and rows in (None, entry.rows)
        ]
        return max(found, default=None)

    def to_json(self) -> str:
        """Text that any JSON parser takes: an infinite error is the string "inf"."""
        errors = [asdict(entry) for entry in self.errors]
        for entry in errors:
            entry["error"] = entry["error"] if entry["error"] < float("inf") else "inf"
        whole = {
            "schema": SCHEMA,
            "facts": dict(self.facts),
            "left_out": list(self.left_out),
            "cells": [_cell_to_json(cell) for cell in self.cells],
            "errors": errors,
        }
        return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that `to_json` wrote.

        Raises:
            ValueError: the text is no record of this version.
        """
        whole = json.loads(text)
        if not isinstance(whole, dict) or whole.get("schema") != SCHEMA:
            raise ValueError(f"This is no benchmark record with schema {SCHEMA}; run lastlayer bench again.")
        return cls(
            facts=whole["facts"],
            left_out=tuple(whole["left_out"]),
            cells=tuple(_cell_from_json(cell) for cell in whole["cells"]),
            errors=tuple(LargestError(**{**entry, "error": float(entry["error"])}) for entry in whole["errors"]),
        )

    def save(self, path: Path) -> None:
        """Write the file; an earlier one survives a failure.

        Raises:
            OSError: it cannot be written.
        """
        replace_text(path, self.to_json())


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    def written(timings: Mapping[str, Timing]) -> dict[str, Any]:
        return {name: timing._asdict() for name, timing in timings.items()}

    return {
        "shape": list(cell.shape),
        "operation": cell.operation,
        "floor": cell.floor,
        "floors": written(cell.floors),
        "timings": written(cell.timings),
        "refused": dict(cell.refused),
    }


def _cell_from_json(cell: dict[str, Any]) -> Cell:
    def read(timings: dict[str, Any]) -> dict[str, Timing]:
        return {name: Timing(**timing) for name, timing in timings.items()}

    rows, classes = cell["shape"]
    return Cell(
        (rows, classes),
        cell["operation"],
        cell["floor"],
        read(cell["floors"]),
        read(cell["timings"]),
        cell["refused"],
    )
