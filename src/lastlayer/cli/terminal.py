"""All that the commands print goes through here: no control character of a file or an argument reaches the terminal."""

from __future__ import annotations

import codecs
import json
import sys
import traceback
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import click
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

from lastlayer.words.ascii import in_ascii
from lastlayer.words.printable import clean_lines, is_control

#: Anything beyond ASCII that the commands print can be told by what they print most.
_SAMPLE = "−σΣ█…"


def terminal(*, stderr: bool = False) -> Console:
    """A rich console that cleans whatever is printed on it; its own colours pass."""
    console = Console(highlight=False, stderr=stderr)
    console.push_render_hook(_Cleaning())
    return console


def say(text: str = "", *, err: bool = False) -> None:
    """Print plain text, on stderr where `err`."""
    click.echo(clean_lines(text), err=err)


def say_json(text: str, *, end: str = "\n") -> None:
    """Print JSON, its control characters written as JSON escapes, which leaves its values what they are."""
    click.echo(f"{escaped(text)}{end}", nl=False)


def escaped(text: str) -> str:
    """JSON with its control characters and lone surrogates, which UTF-8 cannot hold, as JSON escapes."""
    return "".join(
        json.dumps(character)[1:-1] if character != "\n" and is_control(character) else character for character in text
    )


def is_ascii() -> bool:
    """Whether standard output cannot show what the commands print, so that it has to be spelled in ASCII."""
    try:
        _SAMPLE.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def spelled(text: str) -> str:
    """The text as standard output can show it, for what is laid out in columns: in ASCII it may be longer."""
    return in_ascii(text) if is_ascii() else text


def spell_what_cannot_be_shown() -> None:
    """Let standard output and error spell what they cannot encode, as in sigma for σ, instead of raising an error."""
    codecs.register_error("spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spelled")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


def clean_tracebacks_and_warnings() -> None:
    """Clean what Python itself prints: a bug's traceback and a library's warning may quote a file, too."""

    def show_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"), err=True)

    def show_warning(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        say(warnings.formatwarning(message, category, filename, lineno, line).rstrip("\n"), err=True)

    sys.excepthook = show_error
    warnings.showwarning = show_warning


class _Cleaning(RenderHook):
    """Wraps what a console is about to print."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """The same, cleaned when it is rendered."""
        return [_Cleaned(renderable) for renderable in renderables]


class _Cleaned:
    """A renderable whose text has no control characters."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The segments of what is inside, cleaned; rich's own control segments stay."""
        segments: Iterable[Segment] = console.render(self._inner, options)
        for text, style, control in segments:
            yield Segment(text if control else clean_lines(text), style, control)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """The width of what is inside."""
        return Measurement.get(console, options, self._inner)
