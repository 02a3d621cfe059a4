"""Scores as arguments: `lastlayer compare 2 -1 0.5` without a `--`, and as people paste them: `[2, -1, .5]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import click

#: What no option looks like: -1, -.5, -1e-3, -inf.
NEGATIVE_NUMBER = re.compile(r"-(\d|\.\d|inf(inity)?\b|nan\b)", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[\](){}]")
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
        text = sys.stdin.read()
    has_brackets = _BRACKETS.search(text) is not None
    words = _BRACKETS.sub(" ", text).split()
    # In 0,5 0,3 the blanks separate, so the commas are decimal ones.
    if len(words) > 1 and not has_brackets:
        for place, word in enumerate(words):
            if _DECIMAL_COMMA.fullmatch(word):
                raise ValueError(
                    f"Score {place} is {word!r}, which is not a number; write a point for the decimal comma."
                )
    parts = [part for word in words for part in re.split("[,;]", word) if part]
    return [_number(part, place) for place, part in enumerate(parts)]


def _number(text: str, place: int) -> float:
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        raise ValueError(f"Score {place} is {text!r}, which is not a number; give numbers, as in 1 0.5.") from None
