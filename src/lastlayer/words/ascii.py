"""Text for a terminal that shows ASCII alone: σ as sigma, − as -, ² as ^2."""

from __future__ import annotations

import re
import unicodedata

_WRITTEN = {
    "−": "-",
    "–": "-",
    "—": "-",
    "‑": "-",
    "·": "*",
    "•": "*",
    "×": "x",
    "÷": "/",
    "±": "+/-",
    "Σ": "sum",
    "∂": "d",
    "√": "sqrt",
    "∞": "inf",
    "→": "->",
    "←": "<-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "⟨": "<",
    "⟩": ">",
    "‖": "||",
    "′": "'",
    "″": "''",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "½": "1/2",
    "∘": " o ",
    "⊗": " (x) ",
    "…": "...",
    "█": "#",
    "\N{REPLACEMENT CHARACTER}": "?",
}
#: A run of superscripts or subscripts becomes ^29 or _ij.
_RAISED = re.compile("[\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\u2070-\u207f\u1d2c-\u1d61]+")
_LOWERED = re.compile("[\u2080-\u209c\u1d62-\u1d6a\u2c7c]+")


def in_ascii(text: str) -> str:
    """The text with nothing but ASCII; what has no equivalent is a question mark.

    >>> in_ascii("−log p = log Σ e^x − x, σ(x₀ − x₁), x², ±0.125, xᵢⱼ, 2⁻²⁹, naïve 日本")
    '-log p = log sum e^x - x, sigma(x_0 - x_1), x^2, +/-0.125, x_ij, 2^-29, naive ??'
    """
    if text.isascii():
        return text
    text = _RAISED.sub(lambda run: f"^{unicodedata.normalize('NFKD', run[0])}", text)
    text = _LOWERED.sub(lambda run: f"_{unicodedata.normalize('NFKD', run[0])}", text)
    return "".join(character if character.isascii() else _one(character) for character in text)


def _one(character: str) -> str:
    if character in _WRITTEN:
        return _WRITTEN[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK ") and " LETTER " in name:
        letter = name.rpartition(" LETTER ")[2].split()[0].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return plain or ("" if unicodedata.category(character) in ("Mn", "Cf") else "?")
