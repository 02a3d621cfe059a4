"""Numbers that a table holds as text: with money and percent signs, thousands separators, and words for what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lastlayer.study.data.target import is_missing_word

_CURRENCY = r"[$€£¥₹]"
_BLANK = r"[ \u00a0\u202f]"
_SIGN = r"[+\-−]?"
#: How a number may be written around its digits: −$5, $ -5, 5 €, 12.5 %.
_AROUND = rf"{_SIGN}(?:{_CURRENCY}{_BLANK}?)?{_SIGN}(?:{{digits}})(?:{_BLANK}?(?:{_CURRENCY}|%))?"
#: Decimal sign → the spelling of a number in which other marks are thousands separators.
_SPELLINGS = {
    ".": re.compile(_AROUND.format(digits=r"\d{1,3}(?:[,'’ \u00a0\u202f]\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+")),
    ",": re.compile(_AROUND.format(digits=r"\d{1,3}(?:[.'’ \u00a0\u202f]\d{3})+(?:,\d*)?|\d+(?:,\d*)?|,\d+")),
}
#: A number as Python writes it.
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MARKS = re.compile(r"[$€£¥₹%,'’\s]")
_UNIT = re.compile(r"[$€£¥₹%]")
#: Texts that mean a missing value wherever numbers are expected, besides those that pandas and R write.
_PLACEHOLDERS = frozenset(
    {"?", "??", "-", "--", "---", "–", "—", ".", "..", "*", "/", "x", "missing", "unknown", "unk", "undefined", "empty"}
    | {
        "blank",
        "void",
        "n.a.",
        "n.a",
        "na.",
        "not_available",
        "not available",
        "not applicable",
        "not known",
        "no data",
    }
    | {"no value", "no answer", "not recorded", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"}
)
#: Words that a column of numbers may hold, and distinct numbers that make it one of numbers whatever the words.
_WORDS, _NUMBERS = 3, 6
#: Words that are no placeholders may be in this share of the cells: in more, they are levels of their kind.
_SHARE = 0.1


@dataclass(frozen=True)
class NumberTexts:
    """How the distinct texts of a column split: each text with its number of cells.

    Attributes:
        plain: numbers as Python writes them.
        decorated: numbers with a unit or thousands separators.
        words: everything else.
        decimal: the decimal sign of the decorated numbers, or empty where no spelling fits all.
    """

    plain: pd.Series
    decorated: pd.Series
    words: pd.Series
    decimal: str

    @property
    def n_numbers(self) -> int:
        """Cells that hold a number."""
        return int(self.plain.sum() + self.decorated.sum())


def split_texts(cells: pd.Series) -> NumberTexts:
    """What a column's known cells of text hold; without a decimal sign, decorated are texts that are numbers once marks are gone."""
    counts = cells.str.strip().value_counts()
    is_plain = are_numbers(counts.index)
    plain, rest = counts[is_plain], counts[~is_plain]
    for decimal, spelling in _SPELLINGS.items():
        fits = np.array([spelling.fullmatch(text) is not None for text in rest.index], dtype=bool)
        words, numbers = rest[~fits], [*rest.index[fits], *plain.index]
        # Plain numbers with a decimal point leave no room for a decimal comma.
        is_possible = decimal == "." or not any("." in text for text in plain.index)
        is_alike = len({_unit(text) for text in numbers}) == 1
        if fits.any() and is_possible and is_alike and not any(map(_has_digit, words.index)):
            return NumberTexts(plain, rest[fits], words, decimal)
    is_decorated = are_numbers(_MARKS.sub("", text) for text in rest.index)
    return NumberTexts(plain, rest[is_decorated], rest[~is_decorated], "")


def marks_in(texts: Iterable[str]) -> list[str]:
    """The marks that a plain number does not have."""
    return list(dict.fromkeys(mark for text in texts for mark in _MARKS.findall(text)))


def is_column_of_numbers(texts: NumberTexts) -> bool:
    """Whether a column is best read as numbers: all are written alike, and the few words mean that a value is missing."""
    if len(texts.decorated) and not texts.decimal:
        return False
    distinct = len(texts.plain) + len(texts.decorated)
    known = sum(is_placeholder(str(word)) for word in texts.words.index)
    if not distinct or len(texts.words) > max(_WORDS, known):
        return False
    # Codes such as postal ones lose their zeros as numbers.
    if any(re.match(r"[+-]?0\d", str(text)) for text in texts.plain.index):
        return False
    if any(_has_digit(str(word)) for word in texts.words.index):
        return False
    cells = texts.n_numbers + int(texts.words.sum())
    others = sum(int(count) for word, count in texts.words.items() if not is_placeholder(str(word)))
    return others == 0 or (distinct > _NUMBERS and others <= _SHARE * cells)


def is_placeholder(text: str) -> bool:
    """Whether the text commonly means that a value is missing."""
    return text.strip().lower() in _PLACEHOLDERS or is_missing_word(text) or not text.strip()


def number_of(text: str, decimal: str) -> float:
    """The number that a text is, NaN where it is none; `decimal` is the sign in texts that are not plain."""
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    if not decimal or not _SPELLINGS[decimal].fullmatch(text):
        return np.nan
    digits = re.sub(r"[^\d.,+\-−]", "", text).replace("−", "-").replace("," if decimal == "." else ".", "")
    return float(digits.replace(",", "."))


def are_numbers(texts: Iterable[str]) -> np.ndarray:
    """Which texts are plain numbers."""
    return np.array([_PLAIN.fullmatch(text.strip()) is not None for text in texts], dtype=bool)


def _unit(text: str) -> str:
    return "".join(_UNIT.findall(text))


def _has_digit(word: str) -> bool:
    return not word.startswith("#") and any(character.isdigit() for character in word)
