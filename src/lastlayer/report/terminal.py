"""The report as a terminal shows it: one table row per mapping, then the verdicts and notes in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lastlayer.findings.metrics import PRIMARY, Metric
from lastlayer.report.notes import study_notes
from lastlayer.report.reading import Reading, Row, read
from lastlayer.report.verdicts import comparison_sentence
from lastlayer.study.statistics.comparisons import Verdict
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.lists import plural
from lastlayer.words.names import shorten, shorten_apart
from lastlayer.words.numbers import MINUS, MISSING, THIN, decimals_for, interval, number, seconds, share
from lastlayer.words.printable import clean

#: What a terminal without Unicode prints instead.
_ASCII = str.maketrans({"∞": "inf", MISSING: "-", MINUS: "-", THIN: " ", "…": "~", "•": "*", "×": "x", "·": "."})


@dataclass(frozen=True)
class Layout:
    """How much a table shows: digits of the interval's half-width, brackets or a dash, one line or two, which columns."""

    digits: int
    brackets: bool
    stacked: bool
    extras: bool
    name_width: int
    n_metrics: int = 4


#: From the roomiest to the tightest; the first that fits is used.
LAYOUTS: tuple[Layout, ...] = (
    Layout(2, brackets=True, stacked=False, extras=True, name_width=40),
    Layout(1, brackets=True, stacked=False, extras=True, name_width=24),
    Layout(1, brackets=True, stacked=False, extras=False, name_width=24),
    Layout(1, brackets=False, stacked=False, extras=False, name_width=16),
    Layout(1, brackets=False, stacked=True, extras=True, name_width=20),
    *(Layout(1, brackets=False, stacked=True, extras=False, name_width=16, n_metrics=n) for n in (4, 3, 2, 1)),
    Layout(1, brackets=False, stacked=True, extras=False, name_width=10, n_metrics=1),
)


def render_table(results: StudyResults) -> RenderableType:
    """The study for a terminal: table, verdicts, notes. Fits the console's width and uses more where there is room.

    Example:
        >>> from rich.console import Console
        >>> from lastlayer.report import render_table
        >>> Console().print(render_table(results))  # doctest: +SKIP
    """
    return TerminalReport(read(results))


@dataclass(frozen=True)
class TerminalReport:
    """A rich renderable that chooses its layout when it learns the width."""

    reading: Reading

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield heading, table, verdicts and notes at the console's width."""
        say = _speaker(options)
        yield Text(say(heading(self.reading)), style="bold")
        yield Text(say(subheading(self.reading)), style="dim")
        yield Text()
        yield _table(self.reading, console, options, say)
        verdicts = [(row.name, text) for row in self.reading.others if (text := primary_verdict(row))]
        title = f"Verdicts in {PRIMARY.name} (for the other metrics see the report)"
        yield from _paragraphs(title, verdicts, say, width=max(16, options.max_width // 4))
        yield from _paragraphs(
            "Notes", [("•", clean(note)) for note in study_notes(self.reading.results)], say, width=1
        )


def primary_verdict(row: Row) -> str:
    """The verdict on a mapping in the primary metric; on all metrics where that one was not compared."""
    comparison = row.comparison(PRIMARY)
    return row.verdict if comparison is None else clean(comparison_sentence(comparison))


def heading(reading: Reading) -> str:
    """`digits: 1797 rows, 64 features, 10 classes`."""
    results = reading.results
    sizes = (
        plural(results.n_samples, "row"),
        plural(results.n_features, "feature"),
        plural(results.n_classes, "class", "classes"),
    )
    return f"{shorten(clean(results.dataset), 60)}: {', '.join(sizes)}"


def subheading(reading: Reading) -> str:
    """What the numbers below are."""
    settings = reading.results.settings
    return (
        f"Mean over {plural(settings.folds, 'fold')} × {plural(settings.repeats, 'repeat')}, "
        f"with approximate {100 * settings.level:g}{THIN}% interval. {PRIMARY.name.capitalize()} is the primary metric."
    )


def _speaker(options: ConsoleOptions) -> Callable[[str], str]:
    if not options.ascii_only:
        return str
    return lambda text: text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def _table(reading: Reading, console: Console, options: ConsoleOptions, say: Callable[[str], str]) -> RenderableType:
    tables = (_build(reading, layout, say) for layout in LAYOUTS)
    table = next(tables)
    for tighter in tables:
        if Measurement.get(console, options.update(max_width=10_000), table).maximum <= options.max_width:
            break
        table = tighter
    return table


def _build(reading: Reading, layout: Layout, say: Callable[[str], str]) -> Table:
    metrics = reading.metrics[: layout.n_metrics]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Mapping", no_wrap=True)
    for metric in metrics:
        table.add_column(metric.heading, justify="left", no_wrap=True)
    extras = _extras(reading) if layout.extras else []
    for title, _ in extras:
        table.add_column(title, justify="right", no_wrap=True)
    names = shorten_apart([row.name for row in reading.rows], layout.name_width)
    cells = {metric.key: _cells(reading, metric, layout, say) for metric in metrics}
    for i, row in enumerate(reading.rows):
        table.add_row(
            Text(say(names[i]), style="bold" if row.is_reference else ""),
            *(cells[metric.key][i] for metric in metrics),
            *(Text(say(text(row))) for _, text in extras),
        )
    return table


def _cells(reading: Reading, metric: Metric, layout: Layout, say: Callable[[str], str]) -> list[Text]:
    """One column: means aligned at the decimal point, intervals next to or below them."""
    estimates = [row.estimate(metric) for row in reading.rows]
    decimals = decimals_for(((e.high - e.low) / 2 for e in estimates), digits=layout.digits, at_least=3)
    show = number if layout.brackets else _without_zero
    means = [show(estimate.mean, decimals) for estimate in estimates]
    width = max(map(len, means))
    column = []
    for row, estimate, mean in zip(reading.rows, estimates, means, strict=True):
        if math.isinf(estimate.mean):
            between = _share_of_infinite(row)
        elif layout.brackets or not estimate.has_interval:
            between = interval(estimate.low, estimate.high, decimals)
        else:
            between = f"{show(estimate.low, decimals)}–{show(estimate.high, decimals)}"
        gap = "\n" if layout.stacked else " "
        text = Text(say(mean if layout.stacked else mean.rjust(width)), style=_style(row, metric))
        column.append(text.append(say(gap + between).rstrip(" "), style="not bold dim"))
    return column


def _share_of_infinite(row: Row) -> str:
    value = row.row_share("infinite_share")
    return "" if math.isnan(value) else f"in {share(value)}"


def _without_zero(value: float, decimals: int) -> str:
    """`.953` for 0.953: four metrics with their intervals then fit in 80 columns."""
    text = number(value, decimals)
    return text.replace("0.", ".", 1) if text.startswith(("0.", f"{MINUS}0.")) else text


def _style(row: Row, metric: Metric) -> str:
    comparison = row.comparison(metric)
    if row.is_reference:
        return "bold"
    if comparison is None or comparison.verdict != Verdict.DIFFERS:
        return ""
    return "bold green" if metric.is_improvement(comparison.difference.mean) else "bold red"


def _extras(reading: Reading) -> list[tuple[str, Callable[[Row], str]]]:
    columns: list[tuple[str, Callable[[Row], str]]] = []
    if any(row.row_share("invalid_share") > 0 for row in reading.rows):
        columns.append(("Outside", lambda row: share(row.row_share("invalid_share"))))
    columns.append(("Fit", lambda row: seconds(row.spread("fit_seconds").mean)))
    return columns


def _paragraphs(
    title: str, items: Sequence[tuple[str, str]], say: Callable[[str], str], *, width: int
) -> Iterable[RenderableType]:
    """A titled list: the subject on the left in at most `width` columns, the text to its right."""
    if not items:
        return
    yield Text(f"\n{title}", style="bold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    names = [item for item, _ in items] if width == 1 else shorten_apart([item for item, _ in items], width)
    for name, (_, text) in zip(names, items, strict=True):
        grid.add_row(Text(say(name)), Text(say(text)))
    yield grid
