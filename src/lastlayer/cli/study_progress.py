"""How far a study is, on stderr, so that stdout stays the table or the JSON: a bar on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from lastlayer.cli.terminal import terminal
from lastlayer.words.numbers import seconds as duration

#: Seconds between two lines where there is no terminal.
EVERY = 10.0
#: A live table has at most this many rows.
ROWS = 15
#: Seconds of a study before its table is shown.
PATIENCE = 3.0


class Progressing(Protocol):
    """What a study says of its progress."""

    done: int
    total: int
    what: str
    seconds: float
    seconds_left: float | None
    brier: dict[str, float]
    fits: dict[str, int]


class StudyProgressBar:
    """Shows what it is called with: a bar with a forecast and the scores so far, or a line now and then."""

    def __init__(self) -> None:
        """Prepare the bar; nothing is shown before `with`."""
        self._console = terminal(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[times]}", markup=False),
            console=self._console,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("reading", total=None, times="")
        self._live = Live(self._bar, console=self._console, transient=True, refresh_per_second=8)
        self._next_line = time.monotonic() + EVERY

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, state: Progressing) -> None:
        """Show how far the study is."""
        times = _times(state)
        if not self._console.is_terminal:
            if time.monotonic() >= self._next_line:
                self._next_line = time.monotonic() + EVERY
                self._console.print(
                    f"{state.done} of {state.total} {state.what}, {times}", markup=False, highlight=False
                )
            return
        self._bar.update(self._task, completed=state.done, total=state.total, description=state.what, times=times)
        table = _table(state) if state.seconds > PATIENCE and state.brier else Text()
        self._live.update(Group(self._bar, table))


def _times(state: Progressing) -> str:
    """`12 s, about 40 s left`."""
    left = "" if state.seconds_left is None else f", about {duration(max(state.seconds_left, 1.0))} left"
    return f"{duration(state.seconds)}{left}"


def _table(state: Progressing) -> Table:
    """Mean Brier scores of what is finished so far, in the order in which it came."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("Brier so far", justify="right")
    table.add_column("fits", justify="right")
    for label, mean in list(state.brier.items())[:ROWS]:
        table.add_row(Text(label), f"{mean:.3f}", str(state.fits[label]))
    return table
