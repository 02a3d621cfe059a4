"""The record of benchmarks/heads.py in words: which linear head passes which case of `check_head`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lastlayer.benchmark.markdown import table
from lastlayer.words.lists import listing
from lastlayer.words.numbers import short


def section(record: Mapping[str, Any]) -> str:
    """A section of the benchmarks page: one row per case, one column per head."""
    facts = record["facts"]
    heads: Mapping[str, Sequence[Mapping[str, Any]]] = record["heads"]
    found = {name: {result["name"]: result for result in results} for name, results in heads.items()}
    versions = listing([f"{name} {number}" for name, number in facts["versions"].items() if number])
    passed = [f"{name} {sum(r['outcome'] == 'passed' for r in results)}" for name, results in heads.items()]
    return "\n".join(
        [
            "## Which linear heads are right",
            "",
            f"Recorded {facts['date']} with {versions} on {facts['device']}, by `python benchmarks/heads.py`. Each row is a kind of fault that "
            "a public head has had; `check_head` looks for it ([how](torch.md#hold-any-head-to-it)). A number is the largest error of loss or "
            "gradients, relative to the largest entry; ∞ stands for NaN, infinity or a missing gradient. *no option*: the head lacks what the case "
            "needs. Without a GPU the Triton kernels ran in Triton's interpreter; – was not run there, since it would take hours.",
            "",
            table(
                ["case", *heads],
                [[name, *(_cell(results.get(name)) for results in found.values())] for name in record["cases"]],
            ),
            "",
            f"Cases passed of {len(record['cases'])}: {listing(passed)}.",
            "",
        ]
    )


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "–"
    if result["outcome"] == "passed":
        return "✓"
    if result["outcome"] == "raised":
        return "no option" if "unexpected keyword" in result["detail"] else "raises"
    return f"wrong by {'∞' if result['error'] == 'inf' else short(result['error'], 2)}"
