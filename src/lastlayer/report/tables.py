"""The tables of the page: every cell is a text, with the full number behind it where it shows one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lastlayer.findings.metrics import PRIMARY, Metric
from lastlayer.report.figures.differences import difference_decimals
from lastlayer.report.figures.levels import metric_decimals
from lastlayer.report.method import records
from lastlayer.report.reading import Reading, Row, Spread
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.words.lists import capital
from lastlayer.words.numbers import INFINITY, MISSING, compact, integer, interval, number, p_value, seconds, share


@dataclass(frozen=True)
class Cell:
    """A cell: main text, the number behind it, smaller text beneath, a tone (better, worse or none), and whether it is words."""

    text: str
    value: float | None = None
    under: str = ""
    tone: str = ""
    is_word: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose row headers are mappings. `id` names it, `note` says what to know when reading it."""

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[Row, Sequence[Cell]]]
    note: str = ""
    is_text: bool = field(default=False)


def main_table(reading: Reading) -> Table:
    """One row per mapping: every metric's mean and interval, and the verdict on the primary one."""
    columns = [metric.heading for metric in reading.metrics]
    has_verdicts = bool(reading.compared(PRIMARY))
    rows = []
    for row in reading.rows:
        cells = [_metric_cell(reading, row, metric) for metric in reading.metrics]
        if has_verdicts:
            comparison = row.comparison(PRIMARY)
            cells.append(Cell(_verdict(row, comparison), is_word=True))
        rows.append((row, cells))
    if has_verdicts:
        columns.append(f"Verdict ({PRIMARY.heading})")
    directions = "; ".join(f"{metric.heading}: {metric.meaning} ({metric.direction})" for metric in reading.metrics)
    return Table(
        id="metrics",
        caption=f"Mean over {reading.n_fits} fits, with approximate {100 * reading.results.settings.level:g} % interval",
        columns=columns,
        rows=rows,
        note=f"{directions}.",
    )


def _verdict(row: Row, comparison: Comparison | None) -> str:
    if row.is_reference:
        return "reference"
    return comparison.verdict if comparison and comparison.verdict else MISSING


def _metric_cell(reading: Reading, row: Row, metric: Metric) -> Cell:
    estimate, decimals = row.estimate(metric), metric_decimals(reading, metric)
    comparison = row.comparison(metric)
    tone = ""
    if comparison is not None and comparison.verdict == Verdict.DIFFERS:
        tone = "better" if metric.is_improvement(comparison.difference.mean) else "worse"
    if math.isinf(estimate.mean):
        infinite = row.row_share("infinite_share")
        return Cell(INFINITY, estimate.mean, "" if math.isnan(infinite) else f"in {share(infinite)} of rows", tone)
    return Cell(number(estimate.mean, decimals), estimate.mean, interval(estimate.low, estimate.high, decimals), tone)


def comparison_tables(reading: Reading) -> list[Table]:
    """One table a metric: difference from softmax, p-value after Holm, the smallest visible difference, verdict."""
    tables = []
    for metric in reading.metrics:
        pairs = reading.compared(metric)
        if not pairs:
            continue
        decimals = difference_decimals(pairs)
        rows = []
        for row, comparison in pairs:
            difference = comparison.difference
            bounds = interval(difference.low, difference.high, decimals, sign=True)
            cells = [
                Cell(number(difference.mean, decimals, sign=True), difference.mean, bounds),
                Cell(comparison.verdict or MISSING, under=p_value(comparison.p_holm), is_word=True),
                Cell(number(comparison.detectable, decimals), comparison.detectable),
            ]
            rows.append((row, cells))
        name = capital(metric.name)
        columns = ["Difference", "Verdict", "Detectable"]
        tables.append(Table(f"comparison-{metric.key}", f"{name}, mapping minus softmax", columns, rows))
    return tables


def fit_table(reading: Reading) -> Table:
    """What the fits were like: strength, support, time, convergence."""
    has_grid = reading.results.settings.C is None
    columns = [
        *(["C", "At edge"] if has_grid else []),
        "Support size",
        "Rows in the ECE",
        "Fit time",
        "Converged",
        "Restart spread",
    ]
    rows = [(row, _fit_cells(row, has_grid)) for row in reading.rows]
    note = (
        "C, strength of fit (1 over that of the penalty), from the least to the most over the fits; support size: classes with a probability above zero, mean over rows; "
        "restart spread: how far apart the restarts of a loss that is not convex ended, in loss per training row, "
        "the largest over the fits."
    )
    return Table("fits", "The fits", columns, rows, note)


def _fit_cells(row: Row, has_grid: bool) -> list[Cell]:
    strength, fits = row.spread("C"), len(row.fits)
    cells = []
    if has_grid:
        cells = [Cell(_range(strength)), Cell(f"{row.count_true('C_at_edge')} of {fits}")]
    support, time = row.spread("support_size").mean, row.spread("fit_seconds").mean
    restarts = row.largest_per_training_row("restart_spread")
    return [
        *cells,
        Cell(number(support, 2), support),
        Cell(integer(row.total("ece_rows"))),
        Cell(seconds(time), time),
        Cell(f"{row.count_true('converged')} of {fits}"),
        Cell(compact(restarts), restarts),
    ]


def _range(spread: Spread) -> str:
    if math.isnan(spread.mean):
        return MISSING
    if spread.least == spread.most:
        return compact(spread.least)
    return f"{compact(spread.least)} to {compact(spread.most)}"


def valid_table(reading: Reading) -> Table | None:
    """The metrics on the rows inside the domain alone, where a mapping refused any row."""
    refusing = [row for row in reading.rows if row.row_share("invalid_share") > 0]
    if not refusing:
        return None
    rows = []
    for row in refusing:
        outside = row.row_share("invalid_share")
        cells = [Cell(share(outside), outside, f"{integer(row.total('invalid_rows'))} rows")]
        for key in ("brier_valid", "accuracy_valid", "log_loss_valid"):
            mean = row.spread(key).mean
            cells.append(Cell(number(mean, 4), mean))
        rows.append((row, cells))
    return Table(
        id="valid",
        caption="On the rows inside the domain alone",
        columns=["Rows outside", "Brier", "Accuracy", "Log loss"],
        rows=rows,
        note="Means over the fits that had such rows. These rows are not the same for every mapping, so they compare nothing.",
    )


def equation_table(reading: Reading) -> Table | None:
    """What each mapping computes, and the loss it was trained with."""
    known = records(reading.rows)
    rows = [
        (row, [Cell(known[row.label].equation), Cell(known[row.label].loss_name)])
        for row in reading.rows
        if row.label in known
    ]
    if not rows:
        return None
    return Table("equations", "The mappings and their losses", ["Probabilities", "Loss"], rows, is_text=True)
