"""Errors a user can do something about: one sentence, exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lastlayer.cli.terminal import say


class CommandError(Exception):
    """What was received, what is required, what to do; shown without a traceback."""


def show_error(message: str, *, code: int = 2) -> int:
    """Print the sentence on stderr and return the exit code."""
    say(f"lastlayer: error: {' '.join(message.split())}", err=True)
    return code


@contextmanager
def expected(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds come from what the user gave: they are printed as a sentence, without a traceback."""
    try:
        yield
    except kinds as error:
        raise CommandError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({str(error).rstrip('.') or 'an allocation failed'}); ask for less, or free some."
    return str(error) or type(error).__name__
