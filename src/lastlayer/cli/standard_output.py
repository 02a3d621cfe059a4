"""Standard output that may fail: the disk is full, or the reader of a pipe has gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO


class OutputError(Exception):
    """Standard output cannot be written to; `reason` is what the system said. No OSError, so that nobody takes it for a file's."""

    def __init__(self, reason: OSError) -> None:
        """Keep the reason."""
        super().__init__(str(reason))
        self.reason = reason


class CheckedOutput:
    """A text stream whose failures are `OutputError`s; after the first one it takes nothing more."""

    def __init__(self, stream: TextIO) -> None:
        """Pass everything on to `stream`."""
        self.stream = stream
        self._failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        """What the stream has."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, or raise an `OutputError`."""
        return int(self._checked(self.stream.write, text))

    def flush(self) -> None:
        """Flush, or raise an `OutputError`."""
        self._checked(self.stream.flush)

    def _checked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if self._failure is None:
            try:
                return call(*arguments)
            except OSError as error:
                # Kept, since libraries try whether a stream can be written to and swallow the answer.
                self._failure = error
                self._discard()
        raise OutputError(self._failure) from self._failure

    def _discard(self) -> None:
        """Send what is in the buffer to the null device, or Python prints a traceback when it writes it at its end."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)


def check_stdout() -> None:
    """Make failures of standard output, if the process has one, `OutputError`s."""
    if sys.stdout is not None:
        sys.stdout = CheckedOutput(sys.stdout)  # type: ignore[assignment]


def leave_stdout() -> None:
    """Take the check away: Python flushes standard output at its end, and prints a traceback of whatever that raises."""
    if isinstance(sys.stdout, CheckedOutput):
        sys.stdout = sys.stdout.stream
