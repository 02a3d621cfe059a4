"""What the terminal texts of studies and evaluations are made of: warnings, and items with a bullet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lastlayer.report.sentences import Group
from lastlayer.report.terminal_table import Say
from lastlayer.words.printable import clean


def warning_items(found: Sequence[tuple[str, str]], say: Say) -> Iterable[RenderableType]:
    """Warnings (what was found, what to do about it) under their heading; nothing if there is none."""
    if not found:
        return
    yield Text(say(str(Group.WARNING)), style="bold yellow")
    for said, remedy in found:
        text = Text(say(clean(said)))
        yield from item("!", text.append(say(f" {clean(remedy)}" if remedy else ""), style="bold"))
    yield Text()


def item(bullet: str, text: Text, say: Callable[[str], str] = str) -> Iterable[RenderableType]:
    """A text whose lines hang behind a bullet."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(Text(say(bullet)), text)
    yield grid
