"""Every mapping against softmax, metric by metric: difference, interval, corrected p-value and verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lastlayer.study.schema import COMPARISONS, METRICS, REFERENCE, SUMMARY, tabulate
from lastlayer.study.statistics.corrected_t import PairedTest, Splits, estimate, holm, paired_test, smallest_detectable
from lastlayer.study.wording import Finding, finding_sentence

#: The least and the largest value of each metric.
BOUNDS = {"brier": (0.0, 2.0), "accuracy": (0.0, 1.0), "log_loss": (0.0, math.inf), "ece": (0.0, 1.0)}
#: Metrics that move in steps of one test row.
COUNTS_ROWS = {"accuracy"}
#: Differences inside these count as equal: half a point of accuracy, and as much in the others (a wrong row costs 2 in Brier).
MARGIN = {"brier": 0.01, "accuracy": 0.005, "log_loss": 0.01, "ece": 0.01}


def splits_of(fits: pd.DataFrame) -> Splits:
    """The sizes of the splits, from the fits of any one mapping."""
    one = fits[fits["mapping"] == fits["mapping"].iloc[0]]
    return Splits(len(one), float((one["n_test"] / one["n_train"]).mean()), float(one["n_test"].mean()))


def summarize(fits: pd.DataFrame, level: float) -> pd.DataFrame:
    """Mean and approximate interval of each metric of each mapping; columns `SUMMARY`."""
    splits = splits_of(fits)
    rows = []
    for mapping, own in fits.groupby("mapping", sort=False):
        for metric in METRICS:
            found = estimate(own[metric].to_numpy(), splits, level, BOUNDS[metric], counts_rows=metric in COUNTS_ROWS)
            rows.append(
                {"mapping": mapping, "metric": metric, "mean": found.mean, "low": found.low, "high": found.high}
            )
    return tabulate(rows, SUMMARY)


def compare(fits: pd.DataFrame, level: float, margin: dict[str, float], versus: str = REFERENCE) -> list[Finding]:
    """Compare every mapping with `versus`, split by split: one finding a mapping and metric, mapping by mapping.

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
    findings: dict[str, list[Finding]] = {mapping: [] for mapping in others}
    for metric in METRICS:
        pairs = [_Pair(mapping, metric, own, reference) for mapping, own in others.items()]
        tests = {
            pair.mapping: paired_test(
                pair.differences, splits, level, _range(metric), counts_rows=metric in COUNTS_ROWS
            )
            for pair in pairs
            if pair.is_comparable
        }
        corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
        for pair in pairs:
            test = tests.get(pair.mapping)
            if test is None:
                findings[pair.mapping].append(pair.without_test(versus))
                continue
            seen = smallest_detectable(test.standard_error, splits, level, len(tests), _range(metric)[1])
            found = _judge(pair, versus, test, corrected[pair.mapping], seen, level, margin[metric], len(tests))
            findings[pair.mapping].append(found)
    return [finding for own in findings.values() for finding in own]


def tabulate_findings(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings with their sentences as a table; columns `COMPARISONS`."""
    return tabulate(({**finding.columns(), "sentence": finding_sentence(finding)} for finding in findings), COMPARISONS)


def _range(metric: str) -> tuple[float, float]:
    """The least and the largest difference of a metric."""
    width = BOUNDS[metric][1] - BOUNDS[metric][0]
    return -width, width


@dataclass(frozen=True)
class _Pair:
    """The fits of a mapping and of the reference on the same splits."""

    mapping: str
    metric: str
    own: pd.DataFrame
    reference: pd.DataFrame

    @property
    def is_comparable(self) -> bool:
        return bool(np.isfinite(self.own[self.metric]).all() and np.isfinite(self.reference[self.metric]).all())

    @property
    def differences(self) -> np.ndarray:
        return np.asarray(self.own[self.metric]) - np.asarray(self.reference[self.metric])

    def without_test(self, versus: str) -> Finding:
        """The finding where a value is infinite or missing: subtracting would say nothing or give NaN."""
        mean, other = float(self.own[self.metric].mean()), float(self.reference[self.metric].mean())
        both_infinite = math.isinf(mean) and math.isinf(other)
        return Finding(
            mapping=self.mapping,
            versus=versus,
            metric=self.metric,
            difference=math.nan if both_infinite else mean - other,
            verdict="not comparable",
            infinite_share=self._share(self.own, "infinite_share"),
            infinite_share_versus=self._share(self.reference, "infinite_share"),
        )

    @staticmethod
    def _share(fits: pd.DataFrame, column: str) -> float:
        return float(np.average(fits[column], weights=fits["n_test"]))


def _judge(
    pair: _Pair,
    versus: str,
    test: PairedTest,
    p_holm: float,
    detectable: float,
    level: float,
    margin: float,
    n_comparisons: int,
) -> Finding:
    found = test.difference
    if -margin < found.low and found.high < margin:
        verdict = "equal"
    elif p_holm < 1.0 - level:
        verdict = "differs"
    else:
        verdict = "cannot be told apart"
    return Finding(
        mapping=pair.mapping,
        versus=versus,
        metric=pair.metric,
        difference=found.mean,
        low=found.low,
        high=found.high,
        p=test.p,
        p_holm=p_holm,
        detectable=detectable,
        verdict=verdict,
        is_significant=p_holm < 1.0 - level,
        margin=margin,
        n_comparisons=n_comparisons,
    )
