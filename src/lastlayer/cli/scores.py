"""Scores as arguments: `lastlayer compare 2 -1 0.5` without a `--`, and as people paste them: `[2, -1, .5]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import click

#: What no option looks like: -1, -.5, -1e-3, -inf.
NEGATIVE_NUMBER = re.compile(r"-(\d|\.\d|inf(inity)?\b|nan\b)", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[\](){}]")
#: Rows such as [[1,2],[3,4]], whose commas separate.
_NESTED = re.compile(r"[\])}]\s*,?\s*[\[({]")
_DECIMAL_COMMA = re.compile(r"[-−]?\d+,\d+")


class CommandWithScores(click.Command):
    """A command whose arguments may be negative numbers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hide the minus behind a blank: the parser then sees no option, and `float` still sees the number."""
        return super().parse_args(ctx, [f" {arg}" if NEGATIVE_NUMBER.match(arg) else arg for arg in args])


def read_scores(arguments: Sequence[str]) -> list[float]:
    """The scores on the command line; `-` alone reads them from standard input.

    Numbers may be separated by blanks, commas or both, and stand in brackets. The minus sign of a typeset page, −, is one too.

    >>> read_scores(["[1,", ".5]"]), read_scores(["1,0.5"]), read_scores(["2", "-1", "0.5"])
    ([1.0, 0.5], [1.0, 0.5], [2.0, -1.0, 0.5])

    Raises:
        ValueError: something is not a number.
    """
    text = " ".join(arguments)
    if text.strip() == "-":
        text = _standard_input()
    text = _in_unicode(text)
    words = _BRACKETS.sub(" ", text).split()
    # In 0,5 0,3 the blanks separate, so the commas are decimal ones; in 0,5;0,3 the semicolons do.
    separated = [part for word in words for part in word.split(";") if part]
    decimal = [_DECIMAL_COMMA.fullmatch(word) is not None for word in separated]
    # In the brackets of a list, as in [1, 2,3], a blank may be missing.
    is_decimal = any if _BRACKETS.search(text) is None else all
    if len(separated) > 1 and is_decimal(decimal) and not _NESTED.search(text):
        for place, word in enumerate(separated):
            if decimal[place]:
                raise ValueError(
                    f"Score {place} is {word!r}, which is not a number; write a point for the decimal comma, "
                    "or a blank after a comma that separates."
                )
    parts = [part for word in words for part in re.split("[,;]", word) if part]
    return [_number(part, place) for place, part in enumerate(parts)]


def _standard_input() -> str:
    """What is piped in.

    Raises:
        ValueError: nothing can be read there.
    """
    if sys.stdin is None:
        raise ValueError("Standard input is closed; give the scores as arguments, as in 1 0.5.")
    return sys.stdin.read().removeprefix("\ufeff")


def _in_unicode(text: str) -> str:
    """The text with the bytes decoded that a terminal in the C locale passes on as they are."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _number(text: str, place: int) -> float:
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        raise ValueError(f"Score {place} is {text!r}, which is not a number; give numbers, as in 1 0.5.") from None
