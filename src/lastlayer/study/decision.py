"""What to use after a study: the reference, or a mapping that is better by more than chance and the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import PRIMARY, Finding
from lastlayer.study.schema import BASELINES, REFERENCE
from lastlayer.study.statistics.comparisons import Comparison, Verdict, splits_of
from lastlayer.study.statistics.corrected_t import paired_test

#: Nothing was compared.
NO_DECISION = Finding("nothing_compared")


def decide(fits: pd.DataFrame, summary: pd.DataFrame, comparisons: Sequence[Comparison], level: float) -> Finding:
    """Keep the reference unless a mapping is better in the primary metric, after Holm's correction and beyond the margin.

    Of several better ones, the one with the best mean is taken.

    Args:
        fits: complete fits of mappings and baselines; columns `FITS`.
        summary: columns `SUMMARY`.
        comparisons: with the reference.
        level: of the intervals.
    """
    own = [comparison for comparison in comparisons if comparison.metric == PRIMARY.key]
    sides = _sides(own)
    enough = [c for c in sides["better"] if abs(c.difference.mean) > c.margin]
    adopted = min(enough, key=lambda c: c.difference.mean, default=None)
    facts: dict[str, Any] = {side: [c.mapping for c in found] for side, found in sides.items()}
    facts |= _scores(summary) | {"metric": PRIMARY.key, "C": None}
    detectable = [c.detectable for c in sides["unclear"]]
    facts["detectable"] = float(np.median(detectable)) if detectable else None
    label = REFERENCE if adopted is None else adopted.mapping
    facts |= _skill(summary, label) | _gain_of_trees(fits, label, level)
    if facts["skill_low"] <= 0.0:
        return Finding("no_signal", label, facts)
    if adopted is not None:
        change = {"difference": adopted.difference.mean, "low": adopted.difference.low, "high": adopted.difference.high}
        return Finding("adopt", label, facts | change)
    if not own:
        return Finding("nothing_compared", label, facts)
    return Finding("keep_reference", label, facts)


def _sides(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    differing = [c for c in comparisons if c.verdict == Verdict.DIFFERS]
    return {
        "better": [c for c in differing if PRIMARY.is_improvement(c.difference.mean)],
        "worse": [c for c in differing if not PRIMARY.is_improvement(c.difference.mean)],
        "equal": [c for c in comparisons if c.verdict == Verdict.EQUAL],
        "unclear": [c for c in comparisons if c.verdict == Verdict.UNCLEAR],
        "not_comparable": [c for c in comparisons if c.verdict == Verdict.NOT_COMPARABLE],
    }


def _scores(summary: pd.DataFrame) -> dict[str, Any]:
    means = summary[summary["metric"] == PRIMARY.key].set_index("mapping")["mean"]
    return {
        "reference": float(means[REFERENCE]),
        "baselines": {name: float(means[name]) for name in BASELINES if name in means.index},
    }


def _skill(summary: pd.DataFrame, label: str) -> dict[str, float]:
    found = summary[(summary["metric"] == "skill") & (summary["mapping"] == label)].iloc[0]
    return {"skill": float(found["mean"]), "skill_low": float(found["low"]), "skill_high": float(found["high"])}


def _gain_of_trees(fits: pd.DataFrame, label: str, level: float) -> dict[str, float | None]:
    """How much lower the boosted trees' score is than the mapping's on the same splits, with its interval."""
    trees = fits[fits["mapping"] == "boosted_trees"].set_index(["repeat", "fold"])
    own = fits[fits["mapping"] == label].set_index(["repeat", "fold"])
    shared = own.index.intersection(trees.index)
    if len(shared) < 2:
        return {"trees_gain": None, "trees_low": None, "trees_high": None}
    differences = (own.loc[shared, PRIMARY.key] - trees.loc[shared, PRIMARY.key]).to_numpy()
    bounds = (-PRIMARY.largest_difference, PRIMARY.largest_difference)
    found = paired_test(differences, splits_of(own.loc[shared].reset_index()), level, bounds).difference
    return {"trees_gain": found.mean, "trees_low": found.low, "trees_high": found.high}
