"""The record of benchmarks/rows.py in words: rows on a GPU, a copy, and their peers."""

from __future__ import annotations

from typing import Any


def section(record: dict[str, Any]) -> str:
    """A section of the benchmarks page: one table, device times as ratios to that of a copy."""
    facts, rows = record["facts"], record["rows"]
    names = [name for name in rows[0]["milliseconds"] if name != "copy"]
    lines = [
        f"## Rows of {record['dtype']} ({facts['device']})",
        "",
        f"Recorded {facts['date']} with torch {facts['versions']['torch']} by `python benchmarks/rows.py`. Device time over that "
        f"of a copy of the scores into an existing buffer, in the same run; {_scores(rows)} million scores in each row of the "
        "table. In brackets the largest error of a softmax in ULP.",
        "",
        f"| classes | copy, ms | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for row in rows:
        taken, ulp = row["milliseconds"], row["ulp"]
        cells = [
            f"{taken[name] / taken['copy']:.2f}" + (f" ({ulp[name]:.1f})" if name in ulp else "") for name in names
        ]
        lines.append(f"| {row['classes']} | {taken['copy']:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _scores(rows: list[dict[str, Any]]) -> int:
    return round(rows[0]["rows"] * rows[0]["classes"] / 1e6)
