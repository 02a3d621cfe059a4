"""The record of benchmarks/temperature.py in words: one temperature next to other libraries', and whole evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lastlayer.benchmark.markdown import table
from lastlayer.benchmark.record import OURS
from lastlayer.words.lists import listing, plural
from lastlayer.words.numbers import ratio, three_digits


def section(record: Mapping[str, Any]) -> str:
    """A section of the benchmarks page: one row per number of classes, then the whole command."""
    facts = record["facts"]
    shapes: Mapping[str, Mapping[str, Mapping[str, float]]] = record["shapes"]
    peers = [name for name in next(iter(shapes.values())) if name != OURS]
    versions = listing([f"{name} {facts['versions'][name]}" for name in peers])
    lines = [
        "## Temperature scaling and whole evaluations",
        "",
        f"Recorded {facts['date']} with {versions}, {plural(facts['threads'], 'thread')}, {facts['processor']}, by `python "
        "benchmarks/temperature.py`. Seconds until the temperature is found, as a solver comes; in brackets its relative distance from "
        "the temperature of a bracketing search in float64. The last column is the time of the fastest other solver over ours.",
        "",
        table(
            ["rows × classes", *(f"{name}, s (error)" for name in (OURS, *peers)), "times faster"],
            [
                [shape.replace("x", " × "), *(_cell(found[name]) for name in (OURS, *peers)), ratio(faster(found))]
                for shape, found in shapes.items()
            ],
        ),
    ]
    if whole := record.get("command"):
        lines += [
            "",
            f"`lastlayer evaluate` as a whole, from the file to the report, on {whole['rows']} × {whole['classes']} scores in float32: "
            f"{three_digits(whole['seconds'])} s, and at most {three_digits(whole['peak'] / whole['bytes'])} times the file in memory.",
        ]
    return "\n".join(lines) + "\n"


def faster(found: Mapping[str, Mapping[str, float]]) -> float:
    """The time of the fastest other solver over ours."""
    return min(one["seconds"] for name, one in found.items() if name != OURS) / found[OURS]["seconds"]


def _cell(one: Mapping[str, float]) -> str:
    return f"{three_digits(one['seconds'])} ({one['relative_error']:.0e})"
