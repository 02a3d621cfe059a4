"""Counts, lists and sentences."""

from __future__ import annotations

from collections.abc import Iterable

from lastlayer.words.numbers import integer


def plural(count: int, noun: str, several: str = "") -> str:
    """`3 folds`, `1 fold`.

    >>> plural(1, "row"), plural(2, "class", "classes")
    ('1 row', '2 classes')
    """
    return f"{integer(count)} {noun if count == 1 else several or noun + 's'}"


def listing(items: Iterable[str], *, at_most: int = 12) -> str:
    """`a, b and c`; a longer list than `at_most` ends in how many more there are.

    >>> listing("abc"), listing("abcdef", at_most=4)
    ('a, b and c', 'a, b, c and 3 more')
    """
    shown = list(items)
    if len(shown) > at_most:
        shown = [*shown[: at_most - 1], f"{len(shown) - at_most + 1} more"]
    if len(shown) <= 1:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def verb(count: int, plain: str) -> str:
    """`1 differs`, `3 differ`: the verb alone."""
    return f"{plain}s" if count == 1 else plain


def capital(text: str) -> str:
    """`text` with a large first letter."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """`text` with a large first letter and a full stop at the end."""
    text = text.strip()
    if not text:
        return ""
    return capital(text) + ("" if text[-1] in ".!?" else ".")


def count_word(count: int) -> str:
    """`eight`: a count in a sentence; figures above twelve.

    >>> count_word(8), count_word(40)
    ('eight', '40')
    """
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[count] if 0 <= count < len(words) else integer(count)
