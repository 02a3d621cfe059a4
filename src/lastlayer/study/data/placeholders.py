"""Columns of numbers that became text through a few cells, told in a sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from lastlayer.study.wording import listing, plural

#: What a number may be written with that a table of plain numbers has not.
_DECORATION = re.compile(r"[$€£¥₹%,'’\s]")
#: Columns that get a sentence each, and cells that are named in it.
_COLUMNS, _CELLS = 8, 3
#: A cell in a sentence has at most this many characters.
_WIDTH = 30


def placeholder_notes(features: pd.DataFrame, name: str) -> tuple[str, ...]:
    """A sentence on each text column most of whose cells are numbers: what made it text, in how many cells, what to do."""
    # By its type first: looking into each of many thousands of numeric columns takes seconds.
    texts = [column for column, kind in features.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    found = [(column, note) for column in texts if (note := _note(features[column], name))]
    notes = [note for _, note in found[:_COLUMNS]]
    if len(found) > _COLUMNS:
        others = [repr(str(column)) for column, _ in found[_COLUMNS : _COLUMNS + 20]]
        more = f" and {len(found) - _COLUMNS - 20} more" if len(found) > _COLUMNS + 20 else ""
        notes.append(f"The same holds for other columns of {name}: {', '.join(others)}{more}.")
    return tuple(notes)


def _note(column: pd.Series, name: str) -> str | None:
    cells = column.dropna()
    if cells.empty or pd.api.types.infer_dtype(cells) != "string":
        return None
    counts = cells.str.strip().value_counts()
    is_plain = _are_numbers(counts.index)
    is_decorated = ~is_plain & _are_numbers(_DECORATION.sub("", cell) for cell in counts.index)
    plain, decorated, words = counts[is_plain], counts[is_decorated], counts[~is_plain & ~is_decorated]
    numbers = int(plain.sum() + decorated.sum())
    # Words may outnumber the numbers where they are few: a placeholder in most rows.
    if 2 * numbers < len(cells) and not (len(words) <= _CELLS and len(plain) + len(decorated) > 2 * _CELLS):
        return None
    reasons, remedies = zip(*_reasons(decorated, words), strict=True) if len(plain) < len(counts) else ((), ())
    if not reasons:
        return f"Column {column.name!r} of {name} holds {plural(numbers, 'number')} stored as text, and is read as text; store numbers."
    return (
        f"Column {column.name!r} of {name} is read as text, although {numbers} of its {plural(len(cells), 'cell')} are numbers: "
        f"{' and '.join(reasons)}. To have it read as numbers, {' and '.join(remedies)}."
    )


def _reasons(decorated: pd.Series, words: pd.Series) -> Iterator[tuple[str, str]]:
    if len(words):
        shown = [f"{_short(word)!r} ({count})" for word, count in words.head(_CELLS).items()]
        others = words.iloc[_CELLS:]
        shown += [f"{len(others)} other texts ({int(others.sum())})"] if len(others) else []
        yield f"{plural(int(words.sum()), 'cell holds', 'cells hold')} {listing(shown)}", "leave these cells empty"
    if len(decorated):
        first = str(decorated.index[0])
        marks = dict.fromkeys(mark for cell in decorated.index for mark in _DECORATION.findall(cell))
        yield (
            f"{plural(int(decorated.sum()), 'number is', 'numbers are')} written with {listing([repr(m) for m in marks])}, "
            f"such as {_short(first)!r}",
            f"write {_short(_DECORATION.sub('', first))!r} for {_short(first)!r}",
        )


def _are_numbers(cells: Iterable[object]) -> np.ndarray:
    return pd.to_numeric(pd.Series(list(cells), dtype=object), errors="coerce").notna().to_numpy()


def _short(cell: object) -> str:
    text = str(cell)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
