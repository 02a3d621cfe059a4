"""The main table, verdict first, and the table of the metrics that have no verdicts."""

from __future__ import annotations

import math

from lastlayer.findings.metrics import DESCRIPTIVE, PRIMARY, Metric
from lastlayer.report.figures.differences import difference_decimals
from lastlayer.report.figures.levels import metric_decimals
from lastlayer.report.reading import Reading, Row
from lastlayer.report.tables.table import Cell, Table, head
from lastlayer.report.verdicts import verdict_word
from lastlayer.study.schema import REFERENCE
from lastlayer.study.statistics.comparisons import Verdict
from lastlayer.words.numbers import INFINITY, MISSING, decimals_for, interval, number, share

_SKILL = DESCRIPTIVE["skill"]


def main_table(reading: Reading) -> Table:
    """One row per mapping: the verdict, the paired difference with its interval, and the mean of every compared metric."""
    is_compared = bool(reading.compared(PRIMARY))
    columns = [metric.heading for metric in reading.metrics]
    if is_compared:
        columns = ["Verdict", f"{PRIMARY.heading} difference", *columns]
    directions = [f"{metric.heading}: {metric.meaning} ({metric.direction})." for metric in reading.metrics]
    if _SKILL in reading.descriptive:
        directions.insert(1, f"Skill: {_SKILL.meaning}.")
    level = f"{100 * reading.results.settings.level:g} %"
    more = ". Baselines are fitted on the splits of the first repeat" if reading.baselines else ""
    if reading.results.n_classes == 2:
        more += ". The Brier score goes from 0 to 2, twice scikit-learn’s brier_score_loss"
    return Table(
        id="metrics",
        caption=f"Verdict in {PRIMARY.name}; means over {reading.n_fits} fits; difference: mapping minus {REFERENCE}, with its "
        f"approximate {level} interval{more}.",
        columns=columns,
        rows=[(head(row), _cells(reading, row, is_compared)) for row in reading.rows],
        further=[(head(row), _cells(reading, row, is_compared)) for row in reading.baselines],
        note=" ".join(directions),
        kind="main",
    )


def _cells(reading: Reading, row: Row, is_compared: bool) -> list[Cell]:
    found = [_metric_cell(reading, row, metric) for metric in reading.metrics]
    return [_verdict(row), _difference(reading, row), *found] if is_compared else found


def _verdict(row: Row) -> Cell:
    return Cell(row.word or MISSING, tone=row.word if row.word in ("better", "worse") else "", is_word=True)


def _difference(reading: Reading, row: Row) -> Cell:
    comparison = row.comparison(PRIMARY)
    if comparison is None:
        return Cell("")
    difference, decimals = comparison.difference, difference_decimals(reading.compared(PRIMARY))
    bounds = interval(difference.low, difference.high, decimals, sign=True)
    return Cell(number(difference.mean, decimals, sign=True), difference.mean, bounds)


def _metric_cell(reading: Reading, row: Row, metric: Metric) -> Cell:
    estimate, decimals = row.estimate(metric), metric_decimals(reading, metric)
    comparison = row.comparison(metric)
    # The primary metric has its verdict in a column of its own.
    is_told = metric is PRIMARY or comparison is None or comparison.verdict != Verdict.DIFFERS
    tone = "" if comparison is None or is_told else verdict_word(comparison)
    if math.isinf(estimate.mean):
        infinite = row.row_share("infinite_share")
        return Cell(INFINITY, estimate.mean, "" if math.isnan(infinite) else f"in {share(infinite)} of rows", tone)
    skill = row.estimate(_SKILL).mean if metric is PRIMARY else math.nan
    under = "" if math.isnan(skill) else f"skill {number(skill, 2)}"
    return Cell(number(estimate.mean, decimals), estimate.mean, under, tone)


def ranking_table(reading: Reading) -> Table | None:
    """The metrics that people ask for besides, with intervals and without verdicts; None where the results have none."""
    metrics = [metric for metric in reading.descriptive if metric is not _SKILL]
    if not metrics:
        return None
    rows = {row.label: [_interval_cell(reading, row, metric) for metric in metrics] for row in _all(reading)}
    return Table(
        id="descriptive",
        caption=f"Mean over the fits, with its approximate {100 * reading.results.settings.level:g} % interval; not compared",
        columns=[metric.heading for metric in metrics],
        rows=[(head(row), rows[row.label]) for row in reading.rows],
        further=[(head(row), rows[row.label]) for row in reading.baselines],
        note=" ".join(f"{metric.heading}: {metric.meaning}." for metric in metrics),
    )


def _all(reading: Reading) -> tuple[Row, ...]:
    return (*reading.rows, *reading.baselines)


def _interval_cell(reading: Reading, row: Row, metric: Metric) -> Cell:
    estimates = (row.estimate(metric) for row in reading.rows)
    decimals = decimals_for(((e.high - e.low) / 2 for e in estimates), digits=2, at_least=3)
    estimate = row.estimate(metric)
    return Cell(number(estimate.mean, decimals), estimate.mean, interval(estimate.low, estimate.high, decimals))
