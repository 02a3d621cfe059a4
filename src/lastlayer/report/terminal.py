"""The study for a terminal: what to use, the model, the table, and the notes that matter; the rest is in the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from lastlayer.report.answer import answer, question
from lastlayer.report.model import model_card
from lastlayer.report.notes import study_notes, warnings_of
from lastlayer.report.reading import Reading, read
from lastlayer.report.sentences import SENTENCES, Group
from lastlayer.report.terminal_items import item, warning_items
from lastlayer.report.terminal_table import Say, ascii_only, caption, results_table
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.lists import plural
from lastlayer.words.printable import clean

#: Notes of a group that a terminal shows; the page has them all.
_SHOWN = {Group.DATA: 6, Group.FITS: 3, Group.METHOD: 0}
_INDENT = 4
#: Findings about fits that a reader must not miss, and go first.
_FIRST = ("fit_failed", "model_failed", "model_not_saved", "out_of_time", "cut_short")


def render_table(results: StudyResults, *, model: Path | None = None) -> RenderableType:
    """The study for a terminal: decision, model, table, notes. Fits the console's width and shows more where there is room.

    Args:
        results: the study.
        model: the file of the fitted model, if it was saved; its lines say how to load it.

    Example:
        >>> from rich.console import Console
        >>> from lastlayer.report import render_table
        >>> Console().print(render_table(results))  # doctest: +SKIP
    """
    return TerminalReport(read(results), model)


@dataclass(frozen=True)
class TerminalReport:
    """A rich renderable that chooses its layout when it learns the width."""

    reading: Reading
    model: Path | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield warnings, decision, model, table and notes at the console's width."""
        say = ascii_only if options.ascii_only else str
        yield from warning_items(warnings_of(self.reading.results), say)
        found = answer(self.reading)
        first, *more = (*found.reasons, "")
        yield Text(say(f"{found.headline}."), style="bold").append(say(f" {first}".rstrip()), style="not bold")
        for reason in filter(None, more):
            yield Text(say(reason))
        yield Text(say(question(self.reading)), style="dim")
        yield from _model(self.reading, self.model, say, options.max_width - _INDENT)
        yield Text()
        yield results_table(self.reading, console, options, say)
        yield Text()
        yield Text(say(caption(self.reading)), style="dim")
        yield from _notes(self.reading, say)


def _model(reading: Reading, model: Path | None, say: Say, width: int) -> Iterable[RenderableType]:
    card = model_card(reading, model)
    if card is None:
        return
    yield Text()
    yield Text(say(f"{card.summary}{f' File: {card.file}' if card.file else ''}"), overflow="fold")
    for line in card.loading or (card.classifier,):
        for part in _broken(line, width):
            yield Padding(Text(say(part), style="cyan", overflow="fold"), (0, 0, 0, _INDENT))


def _broken(line: str, width: int) -> tuple[str, ...]:
    """A line of Python in three where it is too long, at its outer brackets, so that it can still be copied."""
    head, close, tail = line.rpartition(").predict_proba(")
    if cell_len(line) <= width or not head:
        return (line,)
    call, bracket, argument = head.partition("(")
    return call + bracket, f"    {argument}", close + tail


def _notes(reading: Reading, say: Say) -> Iterable[RenderableType]:
    """The first notes of each group, then how many more the page has."""
    n_more = 0
    for group, said in study_notes(reading.results):
        if group == Group.WARNING:
            continue
        ordered = _important_first(reading, said) if group == Group.FITS else said
        shown = ordered[: _SHOWN[group]]
        n_more += len(said) - len(shown)
        if shown:
            yield Text(say(f"\n{group}"), style="bold")
            for note in shown:
                yield from item("•", Text(say(clean(note))), say)
    if n_more:
        yield Text()
        yield Text(
            say(f"{plural(n_more, 'more note')}, every comparison, classes and figures: report.html"), style="dim"
        )


def _important_first(reading: Reading, said: Sequence[str]) -> list[str]:
    findings = [f for f in reading.results.findings if SENTENCES[f.code].group == Group.FITS]
    ordered = sorted(zip(findings, said, strict=True), key=lambda pair: pair[0].code not in _FIRST)
    return [text for _, text in ordered]
