"""The record of benchmarks/linear.py in words: the linear head, the bare products and its peers."""

from __future__ import annotations

from typing import Any

PEAKED = """\
Peaked scores are those of a trained model: most classes have a probability near 0. A method that leaves such classes out is faster
there, and its errors say what that costs."""


def section(record: dict[str, Any]) -> str:
    """A section of the benchmarks page: one table per shape, times as ratios to the three bare matrix products."""
    facts = record["facts"]
    where = "CPU" if facts["device"] == "cpu" else facts["device"]
    lines = [
        f"## The linear head, forward and backward ({where}{', peaked scores' * _is_peaked(record)})",
        "",
        f"Recorded {facts['date']} with torch {facts['versions']['torch']}, {facts['threads']} threads, by "
        "`python benchmarks/linear.py`. Time over the three matrix products that any method must do, whole and into "
        f"existing buffers, in the same run; peak memory above inputs, weights and returned gradients{_fresh(facts)}; "
        "largest errors of the gradients relative to their largest entry, against float64.",
    ]
    if _is_peaked(record):
        lines += ["", PEAKED]
    for row in record["rows"]:
        lines += ["", *_table(row)]
    for who, remedy in facts["left_out"].items():
        lines += ["", f"{who} was left out: {remedy}."]
    return "\n".join(lines) + "\n"


def _is_peaked(record: dict[str, Any]) -> bool:
    return any(row.get("scores") == "peaked" for row in record["rows"])


def _fresh(facts: dict[str, Any]) -> str:
    return ", in a fresh process" if facts["device"] == "cpu" else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"


def _table(row: dict[str, Any]) -> list[str]:
    rows, features, classes = row["shape"]
    base = row["seconds"]["products"]["median"]
    lines = [
        f"**N = {rows}, D = {features}, K = {classes}, {row['dtype']}** (products: {_duration(base)})",
        "",
        "| | time ÷ products | MiB above gradients | error of input's, weight's gradient |",
        "|---|---|---|---|",
    ]
    for who, seconds in row["seconds"].items():
        if who == "products":
            continue
        wrong = row["errors"].get(who)
        errors = "" if wrong is None else f"{wrong['grad_input']:.0e}, {wrong['grad_weight']:.0e}"
        lines.append(f"| {who} | {seconds['median'] / base:.2f} | {row['peak_bytes'][who] / 2**20:.0f} | {errors} |")
    return lines
