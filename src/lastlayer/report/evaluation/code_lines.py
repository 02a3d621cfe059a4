"""Lines of Python for a narrow terminal, broken only where Python allows it, so that they can be copied."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

_OPENING, _CLOSING = "([{", ")]}"


def code_lines(code: str, width: int) -> tuple[str, ...]:
    """One line of statements as lines of at most `width` columns: one per statement, and longer ones broken inside their brackets.

    A piece without a place to break is longer.

    >>> code_lines("z = scores / 2; p = f(z, axis=-1)", 12)
    ('z = scores / 2', 'p = f(z, ', '    axis=-1)')
    """
    return tuple(line for statement in _statements(code) for line in _broken(statement, width))


def _statements(code: str) -> list[str]:
    found, start = [], 0
    for place, (character, depth) in enumerate(_depths(code)):
        if character == ";" and depth == 0:
            found.append(code[start:place].strip())
            start = place + 1
    return [*found, code[start:].strip()]


def _broken(statement: str, width: int) -> Iterator[str]:
    line, piece = "", ""
    for character, depth in _depths(statement):
        piece += character
        if depth > 0 and character in f"{_OPENING} ":
            if line.strip() and cell_len((line + piece).rstrip()) > width:
                yield line
                line = "    "
            line, piece = line + piece, ""
    if line.strip() and cell_len(line + piece) > width:
        yield line
        line = "    "
    yield line + piece


def _depths(code: str) -> Iterator[tuple[str, int]]:
    """(character, how many brackets are open after it); inside a text it is 0."""
    depth, quote = 0, ""
    for character in code:
        if quote:
            quote = "" if character == quote else quote
            yield character, 0
            continue
        if character in "'\"":
            quote = character
        depth += (character in _OPENING) - (character in _CLOSING)
        yield character, depth
