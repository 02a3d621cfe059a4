"""The results read once for terminal, figures and page: one row per mapping or baseline, in one order, with one mark."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lastlayer.findings.metrics import DESCRIPTIVE, METRICS, PRIMARY, Metric
from lastlayer.marks import Mark
from lastlayer.report.baselines import NAMES
from lastlayer.report.palette import marks
from lastlayer.report.verdicts import ORDER, mapping_verdict, verdict_word
from lastlayer.study.schema import BASELINES, REFERENCE
from lastlayer.study.statistics.comparisons import Comparison
from lastlayer.study.statistics.corrected_t import Estimate
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.names import shorten_apart
from lastlayer.words.printable import clean

NAN = float("nan")
#: Longest name of a mapping in a sentence or a table.
NAME_WIDTH = 60


@dataclass(frozen=True)
class Spread:
    """Mean, least and largest value of a quantity over the fits."""

    mean: float = NAN
    least: float = NAN
    most: float = NAN


@dataclass(frozen=True)
class Row:
    """All that the report says about one mapping or baseline."""

    label: str
    name: str
    mark: Mark
    is_reference: bool
    verdict: str
    estimates: Mapping[str, Estimate]
    comparisons: Mapping[str, Comparison]
    fits: pd.DataFrame
    calibration: pd.DataFrame
    histogram: pd.DataFrame
    is_baseline: bool = False

    def estimate(self, metric: Metric) -> Estimate:
        """The estimate of a metric, all NaN where the results have none."""
        return self.estimates.get(metric.key, Estimate())

    def comparison(self, metric: Metric) -> Comparison | None:
        """The comparison with the reference, where there is one."""
        return self.comparisons.get(metric.key)

    @property
    def word(self) -> str:
        """What the row is in a table: `better`, `equal`, …, `reference`, `baseline`, `failed`, or nothing."""
        if self.is_reference or self.is_baseline:
            return "reference" if self.is_reference else "baseline"
        comparison = self.comparison(PRIMARY)
        if comparison is None:
            return "failed" if self.verdict else ""
        return verdict_word(comparison)

    def spread(self, column: str) -> Spread:
        """Mean, least and largest over the fits that have a value in `column`; one infinite value makes the mean infinite."""
        values = self._values(column)
        if values.empty:
            return Spread()
        return Spread(float(values.mean()), float(values.min()), float(values.max()))

    def largest_per_training_row(self, column: str) -> float:
        """The largest value of a sum over training rows, divided by their number; NaN if there is none."""
        if column not in self.fits or self.fits.empty:
            return NAN
        return float((pd.to_numeric(self.fits[column], errors="coerce") / self.fits["n_train"]).max())

    def total(self, column: str) -> int:
        """The sum of whole numbers over the fits."""
        return int(self._values(column).sum())

    def sum(self, column: str) -> float:
        """The sum over the fits that have a value."""
        return float(self._values(column).sum())

    def count_true(self, column: str) -> int:
        """In how many fits a yes-or-no column says yes."""
        return int(self._values(column).astype(bool).sum())

    def row_share(self, column: str) -> float:
        """A share of test rows over all fits: each fit's share weighted by its number of test rows."""
        if column not in self.fits or "n_test" not in self.fits:
            return NAN
        known = self.fits[[column, "n_test"]].apply(pd.to_numeric, errors="coerce").dropna()
        rows = float(known["n_test"].sum())
        return float((known[column] * known["n_test"]).sum()) / rows if rows else NAN

    def _values(self, column: str) -> pd.Series[float]:
        if column not in self.fits:
            return pd.Series(dtype=float)
        return pd.to_numeric(self.fits[column], errors="coerce").dropna().astype(float)


@dataclass(frozen=True)
class Reading:
    """The results as the report needs them: rows in the order of the report and the metrics that are there."""

    results: StudyResults
    rows: tuple[Row, ...]
    metrics: tuple[Metric, ...]
    baselines: tuple[Row, ...] = ()
    descriptive: tuple[Metric, ...] = ()

    def row(self, label: str) -> Row | None:
        """The mapping's or baseline's row."""
        return next((row for row in (*self.rows, *self.baselines) if row.label == label), None)

    @property
    def advised(self) -> Row | None:
        """The row of the mapping that the decision advises, the reference where it advises none."""
        return self.row(self.results.decision.mapping) or self.reference

    @property
    def reference(self) -> Row | None:
        """softmax's row, where it was studied."""
        return next((row for row in self.rows if row.is_reference), None)

    @property
    def others(self) -> tuple[Row, ...]:
        """Every row but the reference's."""
        return tuple(row for row in self.rows if not row.is_reference)

    def compared(self, metric: Metric) -> list[tuple[Row, Comparison]]:
        """The rows that were compared with the reference on a metric."""
        pairs = ((row, row.comparison(metric)) for row in self.others)
        return [(row, comparison) for row, comparison in pairs if comparison is not None]

    @property
    def n_fits(self) -> int:
        """Fits of each mapping."""
        return max((len(row.fits) for row in self.rows), default=0)


def read(results: StudyResults) -> Reading:
    """Read the results: the reference first, then by verdict, within a verdict by the primary metric, best first."""
    asked = [*results.settings.mappings, *results.fits["mapping"], *results.summary["mapping"]]
    labels = list(dict.fromkeys(asked))
    mark = marks(labels)
    names = dict(zip(labels, shorten_apart([clean(label) for label in labels], NAME_WIDTH), strict=True)) | NAMES
    failed = {f.mapping: str(f.facts["reason"]) for f in results.findings if f.code == "fit_failed"}
    summary, by_mapping = (_by_mapping(results.summary), _by_mapping(results.comparisons))
    comparisons = {label: _comparisons(by_mapping.get(label)) for label in labels}
    fits, calibration, histogram = map(_by_mapping, (results.fits, results.calibration, results.histogram))
    rows = [
        Row(
            label=label,
            name=names[label],
            mark=mark[label],
            is_reference=label == REFERENCE,
            verdict=clean(_verdict(label, comparisons[label], failed)),
            estimates=_estimates(summary.get(label)),
            comparisons=comparisons[label],
            fits=fits.get(label, results.fits.iloc[:0]),
            calibration=calibration.get(label, results.calibration.iloc[:0]),
            histogram=histogram.get(label, results.histogram.iloc[:0]),
            is_baseline=label in BASELINES,
        )
        for label in labels
    ]
    rows.sort(key=_place)
    known = {key for row in rows for key in row.estimates}
    return Reading(
        results,
        tuple(row for row in rows if not row.is_baseline),
        tuple(metric for metric in METRICS.values() if metric.key in known),
        tuple(row for row in rows if row.is_baseline),
        tuple(metric for metric in DESCRIPTIVE.values() if metric.key in known),
    )


def _place(row: Row) -> tuple[bool, int, bool, float]:
    mean = row.estimate(PRIMARY).mean
    verdict = ORDER.index(row.word) if row.word in ORDER else len(ORDER)
    return not row.is_reference, verdict, math.isnan(mean), 0.0 if math.isnan(mean) else mean


def _by_mapping(frame: pd.DataFrame) -> dict[Hashable, pd.DataFrame]:
    return dict(iter(frame.groupby("mapping", sort=False, observed=True)))


def _estimates(frame: pd.DataFrame | None) -> dict[str, Estimate]:
    if frame is None:
        return {}
    return {
        row["metric"]: Estimate(as_float(row["mean"]), as_float(row["low"]), as_float(row["high"]))
        for row in frame.to_dict("records")
    }


def _comparisons(frame: pd.DataFrame | None) -> dict[str, Comparison]:
    """The comparisons with the reference, by metric, in the order of METRICS."""
    rows = [] if frame is None else frame[frame["versus"] == REFERENCE].to_dict("records")
    found = {str(row["metric"]): Comparison.of_row(row) for row in rows}
    return {key: found[key] for key in METRICS if key in found}


def _verdict(label: str, comparisons: Mapping[str, Comparison], failed: Mapping[str, str]) -> str:
    if label in failed:
        return f"Could not be studied: a fit failed ({failed[label]})."
    return mapping_verdict(list(comparisons.values())) if comparisons else ""


def as_float(value: Any) -> float:
    """A float; NaN for None, pandas' NA and NaN."""
    return NAN if value is None or pd.isna(value) else float(value)
