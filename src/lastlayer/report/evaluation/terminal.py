"""An evaluation for a terminal: answer and advice, the metrics, the ladder, how to use it, and the notes that matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lastlayer.evaluation import Evaluation
from lastlayer.report.evaluation.answer import answer, question
from lastlayer.report.evaluation.ladder import Rung, rungs
from lastlayer.report.evaluation.metrics import metric_rows
from lastlayer.report.evaluation.notes import data_notes, map_notes
from lastlayer.report.evaluation.use import use_card
from lastlayer.report.notes import warnings_of
from lastlayer.report.terminal_items import item, warning_items
from lastlayer.report.terminal_table import Say, ascii_only
from lastlayer.words.lists import listing, plural
from lastlayer.words.numbers import integer, number
from lastlayer.words.printable import clean

#: Notes of a group that a terminal shows; the page has them all.
_SHOWN = 4
_INDENT = 4
#: Characters of a line of NumPy or PyTorch that a terminal shows.
_LONGEST = 200
_STYLES = {"better": "green", "worse": "red"}
#: Columns of the ladder after the name, from the roomiest table to the tightest; the first that fits is used.
_LADDERS = (
    ("Verdict", "Difference", "Interval", "Log loss", "Brier", "ECE", "Parameters", "Temperature"),
    ("Verdict", "Difference", "Interval", "Log loss", "ECE", "Temperature"),
    ("Verdict", "Difference", "Interval", "Log loss"),
    ("Verdict", "Difference", "Log loss"),
    ("Verdict", "Log loss"),
    ("Verdict",),
)
_METRICS = (
    ("Value", "95 % interval", "Class frequencies", "If calibrated"),
    ("Value", "95 % interval", "Frequencies", "If calibrated"),
    ("Value", "Frequencies", "If calibrated"),
    ("Value", "If calibrated"),
    ("Value",),
)


def render_evaluation(evaluation: Evaluation, *, calibrator: Path | None = None) -> RenderableType:
    """The evaluation for a terminal. Fits the console's width and shows more where there is room; only lines of Python are wider.

    Args:
        evaluation: what `lastlayer.evaluation.evaluate_scores` returned.
        calibrator: the calibrator.json of the advised map, if it is written; its lines say how to load it.

    Print it without cropping, which would cut the lines of Python.

    Example:
        >>> from rich.console import Console
        >>> from lastlayer.report.evaluation import render_evaluation
        >>> Console().print(render_evaluation(evaluation), crop=False)  # doctest: +SKIP
    """
    return TerminalEvaluation(evaluation, calibrator)


@dataclass(frozen=True)
class TerminalEvaluation:
    """A rich renderable that chooses its layout when it learns the width."""

    evaluation: Evaluation
    calibrator: Path | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield warnings, answer, metrics, ladder, use and notes at the console's width."""
        say: Say = ascii_only if options.ascii_only else str
        yield from warning_items(warnings_of(self.evaluation), say)
        found = answer(self.evaluation)
        yield Text(say(f"{found.headline}."), style="bold")
        for reason in found.reasons:
            yield Text(say(reason))
        yield Text(say(question(self.evaluation)), style="dim", overflow="fold")
        yield Text()
        yield _first_that_fits((_metric_table(self.evaluation, columns, say) for columns in _METRICS), console, options)
        yield Text()
        rows = rungs(self.evaluation)
        yield _first_that_fits((_ladder(rows, columns, say) for columns in _LADDERS), console, options)
        yield Text()
        yield Text(say(_CAPTION), style="dim")
        yield from _use(self.evaluation, self.calibrator, say)
        yield from _notes(self.evaluation, say)


_CAPTION = (
    "Difference: in log loss to the model as it is, on rows that the map was not fitted to; below 0 is better. If calibrated: the "
    "range that a perfectly calibrated model shows at this number of rows and classes."
)


def _first_that_fits(tables: Iterable[Table], console: Console, options: ConsoleOptions) -> Table:
    """The first table as wide as the console at most, or the last one."""
    table = Table()
    for table in tables:
        if Measurement.get(console, options.update(max_width=10_000), table).maximum <= options.max_width:
            break
    return table


def _metric_table(evaluation: Evaluation, columns: Sequence[str], say: Say) -> Table:
    lines = [
        (
            row.heading,
            {
                "Value": row.value,
                "95 % interval": row.interval,
                "Class frequencies": row.frequencies,
                "Frequencies": row.frequencies,
                "If calibrated": row.calibrated,
            },
        )
        for row in metric_rows(evaluation)
    ]
    table = _table("Metric", columns, say)
    for name, cells in lines:
        table.add_row(Text(say(name)), *(Text(say(cells[column])) for column in columns))
    return table


def _ladder(rows: Sequence[Rung], columns: Sequence[str], say: Say) -> Table:
    table = _table("Map", columns, say)
    for rung in rows:
        cells = {
            "Verdict": rung.word,
            "Difference": rung.difference,
            "Interval": rung.interval,
            "Log loss": rung.log_loss,
            "Brier": number(rung.result.brier.value, 4),
            "ECE": number(rung.result.ece, 4),
            "Parameters": integer(rung.result.degrees_of_freedom),
            "Temperature": rung.change,
        }
        style = "bold" if rung.result.adopted else ""
        coloured = f"{style} {_STYLES.get(rung.tone, '')}".strip()
        shown = [Text(say(cells[c]), style=coloured if c in ("Verdict", "Difference") else style) for c in columns]
        table.add_row(Text(say(rung.label), style=style), *shown)
    return table


def _table(corner: str, columns: Sequence[str], say: Say) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(corner, no_wrap=True)
    for column in columns:
        table.add_column(say(column), no_wrap=True, justify="left" if column == "Verdict" else "right")
    return table


def _use(evaluation: Evaluation, calibrator: Path | None, say: Say) -> Iterable[RenderableType]:
    card = use_card(evaluation, calibrator)
    yield Text(say(f"\nHow to use it: {card.summary}"), overflow="fold")
    for line in card.loading:
        yield _code(line, say)
    lines = (("NumPy", "array", card.numpy), ("PyTorch", "tensor", card.torch))
    for name, what, line in lines:
        if len(line) <= _LONGEST:
            yield Text(say(f"{name}, from the {what} {card.input}:"))
            yield _code(line, say)
    left = [name for name, _, line in lines if len(line) > _LONGEST]
    if len(left) == 1:
        yield Text(say(f"The line of {left[0]} that needs no file is long; report.html has it."))
    elif left:
        yield Text(say(f"The lines of {listing(left)} that need no file are long; report.html has them."))


def _code(line: str, say: Say) -> Text:
    """A line of Python, whole: a terminal that is too narrow wraps it, and what is copied is still one line."""
    return Text(say(f"{' ' * _INDENT}{clean(line)}"), style="cyan", no_wrap=True, overflow="ignore")


def _notes(evaluation: Evaluation, say: Say) -> Iterable[RenderableType]:
    """The first notes of each group, then how many more the page has."""
    n_more = 0
    for heading, said in (("Your data", data_notes(evaluation)), ("The maps", map_notes(evaluation))):
        n_more += max(0, len(said) - _SHOWN)
        if said:
            yield Text(say(f"\n{heading}"), style="bold")
        for note in said[:_SHOWN]:
            yield from item("•", Text(say(clean(note))), say)
    more = f"{plural(n_more, 'more note')}, classes" if n_more else "Classes"
    yield Text(say(f"\n{more}, reliability diagram and method: report.html"), style="dim")
