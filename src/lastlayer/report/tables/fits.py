"""What the fits were like, and the metrics on the rows inside a mapping's domain alone."""

from __future__ import annotations

import math

from lastlayer.report.reading import Reading, Row, Spread
from lastlayer.report.tables.table import Cell, Table, head
from lastlayer.words.numbers import MISSING, compact, integer, number, seconds, share


def fit_table(reading: Reading) -> Table:
    """Strength, support, time, convergence."""
    has_grid = reading.results.settings.C is None
    has_cuts = any(row.count_true("is_cut_short") for row in reading.rows)
    columns = [
        *(["C", "At edge", "Search"] if has_grid else []),
        "Fit",
        "Converged",
        *(["Cut short"] if has_cuts else []),
        "Support",
        "Restart spread",
    ]
    note = (
        "Mean times of a search for C and of a fit at that C. "
        "C is the strength of the fit (1 over that of the penalty), from the least to the most over the fits. "
        "Support: classes with a probability above zero, mean over the test rows. Restart spread: how far apart the restarts of "
        "a loss that is not convex ended, in loss per training row, the largest over the fits."
    )
    rows = [(head(row), _cells(row, has_grid, has_cuts)) for row in reading.rows]
    further = [(head(row), _cells(row, has_grid, has_cuts)) for row in reading.baselines]
    return Table("fits", "Means and counts over the fits", columns, rows, note, further=further)


def _cells(row: Row, has_grid: bool, has_cuts: bool) -> list[Cell]:
    strength, fits = row.spread("C"), len(row.fits)
    cells = []
    if has_grid:
        at_edge = MISSING if row.is_baseline else f"{row.count_true('C_at_edge')} of {fits}"
        search = row.spread("search_seconds").mean
        cells = [Cell(_range(strength)), Cell(at_edge), Cell(seconds(search), search)]
    support, time = row.spread("support_size").mean, row.spread("fit_seconds").mean
    restarts = row.largest_per_training_row("restart_spread")
    return [
        *cells,
        Cell(seconds(time), time),
        Cell(f"{row.count_true('converged')} of {fits}"),
        *([Cell(MISSING if row.is_baseline else f"{row.count_true('is_cut_short')} of {fits}")] if has_cuts else []),
        Cell(number(support, 2), support),
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
        rows.append((head(row), cells))
    return Table(
        id="valid",
        caption="On the rows inside the domain alone",
        columns=["Rows outside", "Brier", "Accuracy", "Log loss"],
        rows=rows,
        note="Means over the fits that had such rows. Do not compare these between mappings: each leaves out other rows.",
    )
