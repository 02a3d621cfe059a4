"""Columns of numbers that a few cells turned into text."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lastlayer.findings import Finding

#: What a number may be written with and a table of plain numbers does not have.
_DECORATION = re.compile(r"[$€£¥₹%,'’\s]")
#: Columns that get a finding each, columns that are named after those, and cells that a finding names.
_COLUMNS, _NAMED, _CELLS = 8, 20, 3


def numbers_read_as_text(features: pd.DataFrame, name: str) -> tuple[Finding, ...]:
    """A finding for each text column most of whose cells are numbers: what made it text, and in how many cells."""
    # Types first: looking into each of many thousands of numeric columns takes seconds.
    texts = [column for column, kind in features.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    found = [(str(column), finding) for column in texts if (finding := _finding(features[column], name))]
    findings = [finding for _, finding in found[:_COLUMNS]]
    others = [column for column, _ in found[_COLUMNS:]]
    if others:
        more = {"file": name, "columns": others[:_NAMED], "more": len(others[_NAMED:])}
        findings.append(Finding("more_numbers_read_as_text", facts=more))
    return tuple(findings)


def _finding(column: pd.Series, name: str) -> Finding | None:
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
    facts = {"column": str(column.name), "file": name, "numbers": numbers}
    if len(plain) == len(counts):
        return Finding("numbers_stored_as_text", facts=facts)
    others = words.iloc[_CELLS:]
    facts |= {
        "cells": len(cells),
        "words": [[str(word), int(count)] for word, count in words.head(_CELLS).items()],
        "other_words": [len(others), int(others.sum())],
    }
    if len(decorated):
        first = str(decorated.index[0])
        facts |= {
            "decorated": int(decorated.sum()),
            "marks": list(dict.fromkeys(mark for cell in decorated.index for mark in _DECORATION.findall(cell))),
            "example": first,
            "example_as_number": _DECORATION.sub("", first),
        }
    return Finding("numbers_read_as_text", facts=facts)


def _are_numbers(cells: Iterable[object]) -> np.ndarray:
    return pd.to_numeric(pd.Series(list(cells), dtype=object), errors="coerce").notna().to_numpy()
