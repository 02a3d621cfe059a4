"""Text from files and command lines, made safe to print."""

from __future__ import annotations

import unicodedata

#: Format characters that a text may keep: joiners, direction marks (which reorder nothing by force), soft hyphens.
_KEPT_FORMAT = {"\u200c", "\u200d", "\u200e", "\u200f", "\u00ad"}


def is_control(character: str) -> bool:
    """Whether a terminal might obey the character: a control character, a bidirectional override, a lone surrogate."""
    category = unicodedata.category(character)
    return category in ("Cc", "Cs") or (category == "Cf" and character not in _KEPT_FORMAT)


def clean(text: object) -> str:
    """The text with U+FFFD for every control character, and a blank for line ends and tabs.

    A terminal obeys control characters, and a bidirectional override reverses the text after it.

    >>> clean("na\\x1bme")
    'na\N{REPLACEMENT CHARACTER}me'
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        " " if character in "\n\t" else "\N{REPLACEMENT CHARACTER}" if is_control(character) else character
        for character in shown
    )


def clean_lines(text: str) -> str:
    """`clean` each line; the line ends stay."""
    return "\n".join(clean(line) for line in text.split("\n"))
