"""The terminal's table: one line per mapping, as many columns as the width has room for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lastlayer.findings.metrics import DESCRIPTIVE, METRICS, PRIMARY, Metric
from lastlayer.report.reading import Reading, Row
from lastlayer.report.verdicts import verdict_word
from lastlayer.study.schema import REFERENCE
from lastlayer.words.names import shorten_apart
from lastlayer.words.numbers import INFINITY, MINUS, MISSING, THIN, decimals_for, number, seconds, share

#: Text → the same as the terminal can print it.
Say = Callable[[str], str]
#: What a terminal without Unicode prints instead.
_ASCII = str.maketrans(
    {INFINITY: "inf", MISSING: "-", MINUS: "-", THIN: " ", "…": "~", "•": "*", "×": "x", "·": ".", "±": "+-", "’": "'"}
    | dict.fromkeys("‘“”", '"')
)
#: The word for a row that cannot be told apart, where the table is narrow.
_NARROW = {"cannot be told apart": "unclear", "not comparable": "incomparable"}
_STYLES = {"better": "bold green", "worse": "bold red", "failed": "bold red"}


def ascii_only(text: str) -> str:
    """The text in ASCII."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


@dataclass(frozen=True)
class Layout:
    """Which columns a table shows, in their order, and how wide a name may be."""

    columns: tuple[str, ...]
    name_width: int
    is_narrow: bool = False


_ALL = ("verdict", "difference", "brier", "skill", "log_loss", "accuracy", "ece", "balanced_accuracy", "roc_auc")
_MAIN = ("verdict", "difference", "brier", "log_loss", "accuracy")
#: From the roomiest to the tightest; the first that fits is used.
LAYOUTS: tuple[Layout, ...] = (
    Layout((*_ALL, "average_precision", "invalid", "time"), 40),
    Layout((*_ALL, "time"), 24),
    Layout((*_ALL[:7], "time"), 24),
    Layout(_ALL[:7], 20),
    Layout((*_MAIN[:3], "skill", *_MAIN[3:]), 20),
    Layout(_MAIN, 20),
    Layout(_MAIN, 19, is_narrow=True),
    Layout(("verdict", "brier", "log_loss", "accuracy"), 19, is_narrow=True),
    Layout(("verdict", "brier", "accuracy"), 16, is_narrow=True),
    Layout(("verdict", "brier"), 14, is_narrow=True),
    Layout(("verdict",), 12, is_narrow=True),
)


def caption(reading: Reading) -> str:
    """What the numbers of the table are."""
    level = f"{100 * reading.results.settings.level:g} %"
    lower = [metric.heading for metric in reading.metrics if metric.is_lower_better]
    text = f"Means over {reading.n_fits} fits."
    if reading.compared(PRIMARY):
        text += f" Difference: Brier minus {REFERENCE}’s, ± its {level} interval; the verdict is Holm-corrected."
    text += f" Lower is better in {', '.join(lower[:-1])} and {lower[-1]}." if len(lower) > 1 else ""
    if reading.results.n_classes == 2:
        text += " Brier: 0 to 2, twice scikit-learn’s brier_score_loss."
    else:
        text += " Brier: 0 to 2."
    return text


def results_table(reading: Reading, console: Console, options: ConsoleOptions, say: Say) -> RenderableType:
    """The table in the roomiest layout that fits."""
    table = _build(reading, LAYOUTS[0], say)
    for layout in LAYOUTS[1:]:
        if Measurement.get(console, options.update(max_width=10_000), table).maximum <= options.max_width:
            break
        table = _build(reading, layout, say)
    return table


def _build(reading: Reading, layout: Layout, say: Say) -> Table:
    rows = (*reading.rows, *reading.baselines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    columns = [found for key in layout.columns if (found := _column(reading, rows, key, layout)) is not None]
    table.add_column("Mapping", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, no_wrap=True, justify="left" if heading == "Verdict" else "right")
    names = shorten_apart([row.name for row in rows], layout.name_width)
    for i, row in enumerate(rows):
        cells = [Text(say(cell.plain), style=cell.style) for _, found in columns for cell in [found[i]]]
        name = Text(say(names[i]), style="bold" if row.is_reference else "dim" if row.is_baseline else "")
        table.add_row(name, *cells, end_section=i == len(reading.rows) - 1 and bool(reading.baselines))
    return table


def _column(reading: Reading, rows: Sequence[Row], key: str, layout: Layout) -> tuple[str, list[Text]] | None:
    """The heading and the cells; None where the results have no such column."""
    if key == "verdict":
        words = [_NARROW.get(row.word, row.word) if layout.is_narrow else row.word for row in rows]
        if not any(row.word for row in reading.others):
            return None
        return "Verdict", [Text(word, style=_style(row)) for word, row in zip(words, rows, strict=True)]
    if key == "difference":
        return ("Difference", _differences(reading, rows)) if reading.compared(PRIMARY) else None
    if key == "invalid":
        if not any(row.row_share("invalid_share") > 0 for row in rows):
            return None
        return "Outside", [Text(share(row.row_share("invalid_share"))) for row in rows]
    if key == "time":
        return "Fit", [Text(seconds(row.spread("fit_seconds").mean)) for row in rows]
    metric = (METRICS | DESCRIPTIVE)[key]
    known = (*reading.metrics, *reading.descriptive)
    return (metric.heading, _means(reading, rows, metric)) if metric in known else None


def _differences(reading: Reading, rows: Sequence[Row]) -> list[Text]:
    """`−0.006 ±0.004`: the half of the interval, the larger one where the metric's range cuts it."""
    found = [comparison.difference for _, comparison in reading.compared(PRIMARY)]
    decimals = decimals_for(((d.high - d.low) / 2 for d in found), digits=1, at_least=3, at_most=4)
    cells = []
    for row in rows:
        comparison = row.comparison(PRIMARY)
        if comparison is None:
            cells.append(Text(""))
            continue
        d = comparison.difference
        half = f" ±{number(max(d.high - d.mean, d.mean - d.low), decimals)}" if d.has_interval else ""
        cells.append(Text(f"{number(d.mean, decimals, sign=True)}{half}", style=_style(row)))
    return cells


def _means(reading: Reading, rows: Sequence[Row], metric: Metric) -> list[Text]:
    """Means to three decimals, more where the intervals of the mappings are narrower."""
    estimates = [row.estimate(metric) for row in reading.rows]
    decimals = min(decimals_for(((e.high - e.low) / 2 for e in estimates), digits=1, at_least=3), 4)
    decimals = 2 if metric.key == "skill" else decimals
    cells = []
    for row in rows:
        mean = row.estimate(metric).mean
        infinite = row.row_share("infinite_share") if math.isinf(mean) and metric.key == "log_loss" else math.nan
        text = number(mean, decimals) if math.isnan(infinite) else f"{INFINITY} in {share(infinite)}"
        cells.append(Text(text, style="bold" if row.is_reference else _metric_style(row, metric)))
    return cells


def _style(row: Row) -> str:
    return "bold" if row.is_reference else "dim" if row.is_baseline else _STYLES.get(row.word, "")


def _metric_style(row: Row, metric: Metric) -> str:
    if row.is_baseline:
        return "dim"
    comparison = row.comparison(metric)
    return "" if comparison is None else _STYLES.get(verdict_word(comparison), "")
