"""The record of benchmarks/linear_statistics.py in words: statistics over their products, and two processes over one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lastlayer.benchmark.markdown import table
from lastlayer.words.numbers import short


def section(record: Mapping[str, Any]) -> str:
    """A section of the benchmarks page: ratios of times, and the errors of the statistics."""
    facts = record["facts"]
    where = "CPU" if facts["device"] == "cpu" else facts["device"]
    lines = [
        f"## Statistics of a head, and a head on two processes ({where})",
        "",
        f"Recorded {facts['date']} with torch {facts['versions']['torch']} and {facts['threads']} threads, by "
        "`python benchmarks/linear_statistics.py`. `linear_statistics` computes log-probability, entropy, logsumexp and argmax of each row. "
        "Times are over the matrix products that any method must do, whole and into existing buffers, in the same run: one for the "
        "forward pass, four with the gradients, since the scores are computed twice. Errors are against float64, on 64 rows.",
        "",
        table(["what", "shape, dtype", "time over time"], [row for found in record["rows"] for row in _rows(found)]),
        "",
    ]
    return "\n".join(lines)


def _rows(found: Mapping[str, Any]) -> list[list[str]]:
    statistics = found["statistics"]
    shape = " × ".join(map(str, statistics["shape"]))
    where = f"{shape}, {statistics.get('dtype', 'float32')}"
    errors = statistics["errors"]
    rows = [
        [f"statistics, {name}", where, f"{statistics[name]:.2f}"]
        for name in ("forward / one product", "forward and backward / four products")
    ]
    rows += [[f"largest error of {name}", where, short(error, 2)] for name, error in errors.items()]
    if "slices" in found:
        words = "`linear_loss` with `group=` on two processes of one thread / one process of two threads"
        rows.append([words, where, f"{found['slices']['two over one']:.2f}"])
    return rows
