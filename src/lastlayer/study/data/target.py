"""From a target column to class labels."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lastlayer.findings import Finding
from lastlayer.study.error import StudyError

#: A numeric target with more distinct values than this may be a quantity instead of classes.
_MANY = 20
#: Many numbers are a quantity where the middle one has fewer rows than this.
_ROWS = 5
#: Words that other programs write into a cell without a value, in lower case.
_MISSING_WORDS = frozenset(
    {"na", "n/a", "<na>", "#n/a", "#na", "#n/a n/a", "nan", "-nan", "null", "none", "nil", "1.#ind", "-1.#ind"}
    | {"1.#qnan", "-1.#qnan", "nat"}
)
#: A number as a table holds it, with a decimal point or comma.
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d{1,6})?", re.IGNORECASE)


@dataclass(frozen=True)
class Classes:
    """Labels from 0 to K − 1 of the rows whose target is known, and the names of the classes.

    Attributes:
        labels: (n,) integers; −1 where the target is missing or the class was left out.
        names: the classes as text.
        values: the classes as the table has them, in the order of the names.
        findings: what a reader may want to know.
    """

    labels: np.ndarray
    names: tuple[str, ...]
    values: tuple[Any, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_known(self) -> np.ndarray:
        """(n,) whether the row has a class."""
        return self.labels >= 0

    @property
    def counts(self) -> np.ndarray:
        """(K,) rows of each class."""
        return np.bincount(self.labels[self.is_known], minlength=len(self.names))


def read_classes(column: pd.Series, name: str) -> Classes:
    """The classes in a target column: each text that is in it, letter for letter.

    01 and 1, True and TRUE, None and an empty cell differ. Only an empty cell has no class: rows without one are left out, and
    a finding says so. Numbers are ordered by value, everything else as text. Numbers of a .parquet file have no text there: they
    get all their digits, and those of a floating-point column a decimal point only where one of them has a fraction.

    Raises:
        StudyError: no value, one class alone, cells that are lists, or a quantity for regression.
    """
    texts, codes, values = _distinct(column, name)
    names = _ordered({text for text in texts if text is not None})
    if not names:
        raise StudyError(f"Column {column.name!r} of {name} has no values; choose another --target or fill it in.")
    place = {text: label for label, text in enumerate(names)}
    # The last entry is for the code −1.
    labels = np.array([*(-1 if text is None else place[text] for text in texts), -1], dtype=np.int64)[codes]
    counts = dict(zip(names, np.bincount(labels[labels >= 0], minlength=len(names)).tolist(), strict=True))
    findings = (*_check(counts, column.name, name), *_findings(counts, str(column.name)))
    return Classes(labels, tuple(names), tuple(values[text] for text in names), findings)


def without_unused(classes: Classes) -> Classes:
    """The classes that rows are left of, after some lost their label.

    Raises:
        StudyError: fewer than two are.
    """
    counts = classes.counts
    if counts.all():
        return classes
    used = np.flatnonzero(counts)
    if len(used) < 2:
        raise StudyError(
            "The rows that are left are of one class alone; a study needs two. Fill in the cells that are missing."
        )
    place = np.full(len(counts) + 1, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    names, values = (tuple(items[i] for i in used) for items in (classes.names, classes.values))
    return Classes(place[classes.labels], names, values, classes.findings)


def _distinct(column: pd.Series, name: str) -> tuple[list[str | None], np.ndarray, dict[str, Any]]:
    """The text of each distinct value, the place of each row's value among them (−1 if missing), and text → value."""
    try:
        cells = _combined(pa.array(column.array, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _distinct_objects(column, name)
    if pa.types.is_nested(cells.type):
        raise StudyError(
            f"Column {column.name!r} of {name} holds {cells.type} values; a class needs one text or number in each cell."
        )
    encoded = cells.dictionary_encode()
    texts = _texts(encoded.dictionary)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    values: dict[str, Any] = {}
    for text, value in zip(texts, encoded.dictionary.to_pylist(), strict=True):
        if text is not None:
            values.setdefault(text, value)
    return texts, codes, values


def _distinct_objects(column: pd.Series, name: str) -> tuple[list[str | None], np.ndarray, dict[str, Any]]:
    """`_distinct` of values of several types, such as the number 1 and the text b."""
    try:
        codes, distinct = pd.factorize(column.astype(object))
    except TypeError:
        raise StudyError(
            f"Column {column.name!r} of {name} holds values that are no single text or number; a class needs one in each cell."
        ) from None
    texts = [str(value) for value in distinct]
    values: dict[str, Any] = {}
    for text, value in zip(texts, distinct, strict=True):
        if text in values:
            raise StudyError(
                f"Column {column.name!r} of {name} holds {values[text]!r} and {value!r}, which are written alike; "
                "make all classes texts, or all numbers."
            )
        values[text] = value
    return [text if text.strip() else None for text in texts], codes, values


def values_of_texts(names: tuple[str, ...]) -> tuple[Any, ...]:
    """Classes of a text file as pandas would read them: whole numbers or booleans where all are, otherwise the texts."""
    if set(names) <= {"True", "False"}:
        return tuple(name == "True" for name in names)
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,17})", name) and name != "-0" for name in names):
        return tuple(int(name) for name in names)
    if all(re.fullmatch(r"-?(0|[1-9]\d*)\.\d+", name) for name in names):
        numbers = tuple(float(name) for name in names)
        return numbers if len(set(numbers)) == len(numbers) else names
    return names


def _combined(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of values: chunks joined, categories replaced by their values, a column of nulls as text."""
    whole = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    if pa.types.is_dictionary(whole.type):
        return _combined(whole.dictionary_decode())
    if pa.types.is_null(whole.type) or pa.types.is_string_view(whole.type):
        return whole.cast(pa.large_string())
    return whole


def _texts(values: pa.Array) -> list[str | None]:
    """The text of each value; None for NaN and for a text without a visible character."""
    kind = values.type
    if pa.types.is_floating(kind):
        return _texts_of_floats(values.to_numpy(zero_copy_only=False))
    if pa.types.is_temporal(kind):
        return [str(text) for text in values.to_pandas().astype(str)]
    texts = map(_decoded if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else str, values.to_pylist())
    return [text if text.strip() else None for text in texts]


def _texts_of_floats(values: np.ndarray) -> list[str | None]:
    """Whole numbers as integers (missing values may have made them floats), others in the digits of their precision."""
    known = values[~np.isnan(values)].astype(np.float64)
    is_whole = bool(np.all((known == np.round(known)) & (np.abs(known) < 2**53)))
    return [None if np.isnan(value) else str(int(value)) if is_whole else str(value) for value in values]


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return str(value)


def _number(text: str) -> Decimal | None:
    """The exact number that the text is, if it is one."""
    return Decimal(text.strip().replace(",", ".")) if _NUMBER.fullmatch(text.strip()) else None


def is_missing_word(text: str) -> bool:
    """Whether other programs write this word into a cell without a value, as NA, None or null."""
    return text.strip().lower() in _MISSING_WORDS


def _ordered(texts: set[str]) -> list[str]:
    numbers = {text: _number(text) for text in texts}
    if any(number is None and not is_missing_word(text) for text, number in numbers.items()):
        return sorted(texts)
    return sorted(texts, key=lambda text: (numbers[text] is None, numbers[text] or Decimal(0), text))


def _check(counts: dict[str, int], column: object, name: str) -> Iterator[Finding]:
    if len(counts) < 2:
        raise StudyError(
            f"Column {column!r} of {name} holds one class alone ({next(iter(counts))}); a study needs at least two. "
            "Choose another --target or add rows of another class."
        )
    known = [text for text in counts if not is_missing_word(text)]
    numbers = [number for text in known if (number := _number(text)) is not None]
    if len(numbers) < len(known) or len(numbers) <= _MANY:
        return
    has_fractions = any(number != number.to_integral_value() for number in numbers)
    if np.median([counts[text] for text in known]) < _ROWS:
        raise StudyError(
            f"Column {column!r} of {name} holds {len(known)} distinct numbers, from {known[0]} to {known[-1]}: "
            "a quantity, not classes. Choose another --target, or cut it into a few ranges first."
        )
    # Numbers from 0 or 1 on without a gap are how classes are numbered.
    is_numbering = not has_fractions and min(numbers) in (0, 1) and max(numbers) - min(numbers) == len(numbers) - 1
    if has_fractions or not is_numbering:
        facts = {"column": str(column), "classes": len(known), "first": known[0], "last": known[-1]}
        yield Finding("target_may_be_quantity", facts=facts)


def _findings(counts: dict[str, int], column: str) -> Iterator[Finding]:
    words = [[text, count] for text, count in counts.items() if is_missing_word(text)]
    if words:
        yield Finding("missing_words_as_classes", facts={"column": column, "classes": words})
    alike = list(_alike(counts))
    if alike:
        yield Finding("classes_alike", facts={"column": column, "groups": alike})


def _alike(counts: dict[str, int]) -> Iterator[list[str]]:
    """Classes that differ only in capitals, in blanks, in accents' encoding, or in how a number is written."""
    groups: defaultdict[object, list[str]] = defaultdict(list)
    for text in counts:
        number = _number(text)
        groups[" ".join(unicodedata.normalize("NFKC", text).casefold().split()) if number is None else number].append(
            text
        )
    return (group for group in groups.values() if len(group) > 1)
