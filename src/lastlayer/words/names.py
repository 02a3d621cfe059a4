"""Names in little room."""

from __future__ import annotations

from collections.abc import Sequence


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters: the middle goes, since names of variants differ at their ends."""
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def shorten_apart(texts: Sequence[str], width: int) -> list[str]:
    """`shorten` each; those that come out alike get a number, so that no two rows carry one name."""
    shown: list[str] = []
    for text in texts:
        short = shorten(text, width)
        number = 1
        while short in shown:
            number += 1
            tail = f"·{number}"
            short = shorten(text, width - len(tail)) + tail
        shown.append(short)
    return shown


def clipped(text: str, width: int) -> str:
    """`text` in at most `width` characters: the end goes."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
