"""Negative numbers as arguments: `lastlayer compare 2 -1 0.5` without a `--`, wherever the options stand."""

from __future__ import annotations

import re

import click

#: What no option looks like: -1, -.5, -1e-3, -inf.
NEGATIVE_NUMBER = re.compile(r"-(\d|\.\d|inf(inity)?$|nan$)", re.IGNORECASE)


class CommandWithScores(click.Command):
    """A command whose arguments may be negative numbers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hide the minus behind a blank: the parser then sees no option, and `float` still sees the number."""
        return super().parse_args(ctx, [f" {arg}" if NEGATIVE_NUMBER.match(arg) else arg for arg in args])


def number(text: str, place: int) -> float:
    """A score from the command line; the minus sign of a typeset page, −, is one too.

    Raises:
        ValueError: `text` is not a number.
    """
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        hint = (
            "write a point for the decimal comma"
            if re.fullmatch(r" ?[-−]?\d+,\d+", text)
            else "give numbers, as in 1 0.5"
        )
        raise ValueError(f"Score {place} is {text.strip()!r}, which is not a number; {hint}.") from None
