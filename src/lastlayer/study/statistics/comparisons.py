"""Every mapping against softmax, metric by metric: difference, interval, corrected p-value and verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import DESCRIPTIVE, METRICS, Metric
from lastlayer.study.schema import COMPARISONS, REFERENCE, SUMMARY, tabulate
from lastlayer.study.statistics.corrected_t import (
    Estimate,
    PairedTest,
    Splits,
    estimate,
    holm,
    holm_levels,
    interval_at,
    paired_test,
    smallest_detectable,
)


class Verdict(StrEnum):
    """What a comparison found. These words are stored, and `lastlayer study --json` prints them."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNCLEAR = "cannot be told apart"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Comparison:
    """One mapping against another on one metric; one row of `COMPARISONS`.

    Attributes:
        difference: mapping minus versus, with its interval.
        adjusted: the same with the interval that agrees with Holm's correction: it excludes zero exactly where `p_holm` is
            below 1 − level.
        p: two-sided p-value of no difference; `p_holm` after Holm's correction for `n_comparisons` mappings.
        detectable: the smallest difference that the study would have found four times in five.
        is_significant: whether `p_holm` is below 1 − level.
        margin: differences inside ± this count as equal.
        infinite_share: share of test rows with infinite log loss under the mapping, rows outside its domain among them.
    """

    mapping: str
    versus: str
    metric: str
    difference: Estimate
    verdict: Verdict
    adjusted: Estimate = field(default_factory=Estimate)
    p: float = math.nan
    p_holm: float = math.nan
    detectable: float = math.nan
    is_significant: bool = False
    margin: float = math.nan
    n_comparisons: int = 0
    infinite_share: float = 0.0
    infinite_share_versus: float = 0.0

    def row(self) -> dict[str, Any]:
        """The values of the columns `COMPARISONS`."""
        flat = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "adjusted"}
        ends = {"low": self.difference.low, "high": self.difference.high}
        ends |= {"low_holm": self.adjusted.low, "high_holm": self.adjusted.high}
        return flat | {"difference": self.difference.mean, **ends, "verdict": self.verdict.value}

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> Comparison:
        """The comparison that `row` gave.

        Raises:
            KeyError: a column is missing.
            ValueError: there is no such verdict.
        """
        values = {field.name: row[field.name] for field in fields(cls) if field.name != "adjusted"}
        difference = Estimate(*(float(row[name]) for name in ("difference", "low", "high")))
        adjusted = Estimate(*(float(row[name]) for name in ("difference", "low_holm", "high_holm")))
        return cls(**values | {"difference": difference, "adjusted": adjusted, "verdict": Verdict(row["verdict"])})


def splits_of(fits: pd.DataFrame) -> Splits:
    """The sizes of the splits, from the fits of any one mapping."""
    one = fits[fits["mapping"] == fits["mapping"].iloc[0]]
    return Splits(len(one), float((one["n_test"] / one["n_train"]).mean()), float(one["n_test"].mean()))


def summarize(fits: pd.DataFrame, level: float) -> pd.DataFrame:
    """Mean and approximate interval of each metric of each mapping; columns `SUMMARY`."""
    rows = []
    for mapping, own in fits.groupby("mapping", sort=False):
        splits = splits_of(own)
        for metric in (METRICS | DESCRIPTIVE).values():
            if metric.key not in own:
                continue
            found = estimate(own[metric.key].to_numpy(), splits, level, metric.bounds, counts_rows=metric.counts_rows)
            rows.append({"mapping": mapping, "metric": metric.key, **asdict(found)})
    return tabulate(rows, SUMMARY)


def compare(fits: pd.DataFrame, level: float, margin: dict[str, float], versus: str = REFERENCE) -> list[Comparison]:
    """Compare every mapping with `versus`, split by split: one comparison per mapping and metric, mapping by mapping.

    Holm's correction goes over the comparable mappings of one metric. `differs` needs a corrected p-value below 1 − level,
    `equal` an interval inside the margin, which goes first: a difference may be certain and still too small to matter.

    Args:
        fits: columns mapping, repeat, fold, n_train, n_test, infinite_share, invalid_share and the metrics; the same splits
            for every mapping.
        level: of the intervals.
        margin: metric → the largest difference that counts as equal.
        versus: the mapping to compare with.
    """
    splits = splits_of(fits)
    order = ["repeat", "fold"]
    reference = fits[fits["mapping"] == versus].sort_values(order)
    others = {
        str(mapping): own.sort_values(order)
        for mapping, own in fits.groupby("mapping", sort=False)
        if mapping != versus
    }
    found: dict[str, list[Comparison]] = {mapping: [] for mapping in others}
    for metric in METRICS.values():
        pairs = [_Pair(mapping, metric, own, reference) for mapping, own in others.items()]
        bounds = (-metric.largest_difference, metric.largest_difference)
        tests = {
            pair.mapping: paired_test(pair.differences, splits, level, bounds, counts_rows=metric.counts_rows)
            for pair in pairs
            if pair.is_comparable
        }
        p_values = [test.p for test in tests.values()]
        corrected = dict(zip(tests, holm(p_values), strict=True))
        levels = dict(zip(tests, holm_levels(p_values, level), strict=True))
        for pair in pairs:
            test = tests.get(pair.mapping)
            if test is None:
                found[pair.mapping].append(pair.without_test(versus))
                continue
            found[pair.mapping].append(
                _judged(
                    pair,
                    versus,
                    test,
                    p_holm=corrected[pair.mapping],
                    adjusted=interval_at(test, splits, levels[pair.mapping], bounds),
                    detectable=smallest_detectable(
                        test.standard_error, splits, level, len(tests), metric.largest_difference
                    ),
                    level=level,
                    margin=margin[metric.key],
                    n_comparisons=len(tests),
                )
            )
    return [comparison for own in found.values() for comparison in own]


def tabulate_comparisons(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """The comparisons as a table; columns `COMPARISONS`."""
    return tabulate((comparison.row() for comparison in comparisons), COMPARISONS)


@dataclass(frozen=True)
class _Pair:
    """The fits of a mapping and of the reference on the same splits."""

    mapping: str
    metric: Metric
    own: pd.DataFrame
    reference: pd.DataFrame

    @property
    def is_comparable(self) -> bool:
        return bool(np.isfinite(self.own[self.metric.key]).all() and np.isfinite(self.reference[self.metric.key]).all())

    @property
    def differences(self) -> np.ndarray:
        return np.asarray(self.own[self.metric.key]) - np.asarray(self.reference[self.metric.key])

    def without_test(self, versus: str) -> Comparison:
        """The comparison where a value is infinite or missing: the difference is infinite, or NaN."""
        mean, other = float(self.own[self.metric.key].mean()), float(self.reference[self.metric.key].mean())
        both_infinite = math.isinf(mean) and math.isinf(other)
        return Comparison(
            mapping=self.mapping,
            versus=versus,
            metric=self.metric.key,
            difference=Estimate(math.nan if both_infinite else mean - other),
            verdict=Verdict.NOT_COMPARABLE,
            infinite_share=_infinite_share(self.own),
            infinite_share_versus=_infinite_share(self.reference),
        )


def _judged(
    pair: _Pair,
    versus: str,
    test: PairedTest,
    *,
    p_holm: float,
    adjusted: Estimate,
    detectable: float,
    level: float,
    margin: float,
    n_comparisons: int,
) -> Comparison:
    found = test.difference
    is_significant = p_holm < 1.0 - level
    if -margin < found.low and found.high < margin:
        verdict = Verdict.EQUAL
    else:
        verdict = Verdict.DIFFERS if is_significant else Verdict.UNCLEAR
    return Comparison(
        mapping=pair.mapping,
        versus=versus,
        metric=pair.metric.key,
        difference=found,
        verdict=verdict,
        adjusted=adjusted,
        p=test.p,
        p_holm=p_holm,
        detectable=detectable,
        is_significant=is_significant,
        margin=margin,
        n_comparisons=n_comparisons,
        infinite_share=_infinite_share(pair.own),
        infinite_share_versus=_infinite_share(pair.reference),
    )


def _infinite_share(fits: pd.DataFrame) -> float:
    """The share of all test rows with infinite log loss."""
    return float(np.average(fits["infinite_share"], weights=fits["n_test"]))
