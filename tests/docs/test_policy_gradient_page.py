"""The table of docs/how-to/policy-gradient.md has the figures of its record."""

from __future__ import annotations

import json

from pages import DOCS, ROOT


def test_the_table_is_the_records():
    rows = json.loads((ROOT / "benchmarks" / "results" / "half-scores.json").read_text(encoding="utf-8"))["rows"]
    expected = [
        f"| {row['policy']}, {row['dtype']} | {row['scores']} | {row['mean']:.2g} | {row['largest']:.2g} | {100 * row['ratio_off']:.2g} % |"
        for row in rows
        if (row["policy"], row["dtype"]) != ("new", "float16")
    ]
    text = (DOCS / "how-to" / "policy-gradient.md").read_text(encoding="utf-8")
    shown = [line for line in text.splitlines() if line.startswith(("| new,", "| trained,"))]
    assert shown == expected
    assert len(shown) == 6
