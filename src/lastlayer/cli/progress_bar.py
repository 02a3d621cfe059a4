"""A progress bar on stderr, so that stdout stays the table or the JSON."""

from __future__ import annotations

import time
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lastlayer.cli.terminal import terminal


class ProgressBar:
    """A bar that is called with (done, total, what).

    Where stderr is no terminal it prints a line every `every` seconds, or nothing without that number.
    """

    def __init__(self, *, every: float | None = None) -> None:
        """Prepare the bar; nothing is shown before `with`."""
        console = self._console = terminal(stderr=True)
        self._every = every
        self._last_line = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("reading", total=None)

    def __enter__(self) -> Self:
        """Show the bar."""
        # rich 14.1 and older end a disabled bar with an empty line.
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if not self._progress.disable:
            self._progress.stop()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Move the bar."""
        if self._progress.disable:
            self._print(f"{done} of {total} {what}".rstrip())
            return
        self._progress.update(self._task, completed=done, total=total, description=what or "fits")

    def _print(self, line: str) -> None:
        if self._every is not None and time.monotonic() - self._last_line >= self._every:
            self._last_line = time.monotonic()
            self._console.print(line, markup=False, highlight=False)
