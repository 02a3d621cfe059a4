"""What lines are written on: its width, how much is shown, which characters there are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from lastlayer.words.ascii import in_ascii

#: Text and its style: "", "bold", "dim" or the name of a colour.
Span = tuple[str, str]
Line = tuple[Span, ...]
#: The fewest characters of a line.
NARROWEST = 28


@dataclass(frozen=True)
class Paper:
    """`width` in characters, at least NARROWEST; `everything` shows what is folded otherwise; `is_ascii` where nothing but ASCII can be shown.

    `in_python` names methods instead of the command's options.
    """

    width: int = 80
    everything: bool = False
    is_ascii: bool = False
    in_python: bool = False

    def __post_init__(self) -> None:
        """What is narrower holds no word of a table."""
        object.__setattr__(self, "width", max(self.width, NARROWEST))

    def spelled(self, text: str) -> str:
        """The text in the characters that there are."""
        return in_ascii(text) if self.is_ascii else text

    def wrapped(self, text: str, *, first: str = "", rest: str = "", style: str = "") -> list[Line]:
        """A paragraph; `first` and `rest` are the margins of its first and its other lines."""
        spelled = self.spelled(text)
        lines = textwrap.wrap(
            spelled,
            self.width,
            initial_indent="\0" * len(first),
            subsequent_indent="\0" * len(rest),
            break_on_hyphens=False,
        )
        margins = [first, *[rest] * len(lines)]
        return [((margin, ""), (line.lstrip("\0"), style)) for margin, line in zip(margins, lines, strict=False)]

    def folded(self, text: str, width: int) -> list[str]:
        """The text in pieces of at most `width` characters, if its words allow."""
        return textwrap.wrap(self.spelled(text), max(width, 8), break_on_hyphens=False) or [""]


def as_text(lines: Iterable[Line]) -> str:
    """The lines without their styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
