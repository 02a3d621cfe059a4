"""The record of benchmarks/fit.py in words: the linear classifier's fits next to scikit-learn's solvers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lastlayer.benchmark.markdown import table
from lastlayer.benchmark.record import OURS
from lastlayer.words.lists import plural
from lastlayer.words.numbers import ratio, three_digits


def section(record: Mapping[str, Any]) -> str:
    """A section of the benchmarks page: one row per problem, strength C and gap."""
    facts, solvers = record["facts"], _solvers(record)
    versions = facts["versions"]
    lines = [
        "## Fitting the classifier",
        "",
        f"Recorded {facts['date']} with scikit-learn {versions['scikit-learn']} and SciPy {versions['scipy']}, "
        f"{plural(facts['threads'], 'thread')}, {facts['processor']}, by `python benchmarks/fit.py`. Seconds until the objective "
        "is within the gap of its optimum, relatively, each solver at the loosest tolerance that reaches it; the optimum is "
        "proved. *missed* names the gap at which the solver ended instead. The last column is the time of the fastest other "
        "solver over ours.",
        "",
        table(
            ["problem", "C", "gap", *(f"{name}, s" for name in solvers), "times faster"],
            [
                [r["problem"], f"{r['C']:g}", f"{r['gap']:.0e}", *_seconds(r, solvers), ratio(faster(r))]
                for r in record["rows"]
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def ranges(record: Mapping[str, Any]) -> list[tuple[str, int, float, float]]:
    """(problem, rows with a peer, times faster at least, at most) for each problem that a peer solved."""
    found: dict[str, list[float]] = {}
    for row in record["rows"]:
        if (value := faster(row)) is not None:
            found.setdefault(row["problem"], []).append(value)
    return [(problem, len(values), min(values), max(values)) for problem, values in found.items()]


def faster(row: Mapping[str, Any]) -> float | None:
    """The time of the fastest other solver over ours; None where no other reached the gap."""
    seconds: Mapping[str, float] = row["seconds"]
    peers = [value for name, value in seconds.items() if name != OURS]
    return min(peers) / seconds[OURS] if peers and OURS in seconds else None


def _solvers(record: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for row in record["rows"] for name in (*row["seconds"], *row["missed"])))


def _seconds(row: Mapping[str, Any], solvers: Sequence[str]) -> Iterable[str]:
    for name in solvers:
        if name in row["seconds"]:
            yield three_digits(row["seconds"][name])
        else:
            yield f"missed ({row['missed'][name]['gap']:.1e})" if name in row["missed"] else ""
