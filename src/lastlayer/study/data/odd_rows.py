"""Rows of a text file that are no examples: a second header line with units, and totals in the last row."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.numbers import are_numbers, is_placeholder

_TOTAL = re.compile(
    r"(grand |sub)?totals?|sums?|mean|average|avg|gesamt|insgesamt|summe|somme|suma|totale", re.IGNORECASE
)
#: Cells of the second line that a finding shows.
_CELLS = 8


def without_odd_rows(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Finding]]:
    """The table without a second header line and without a last row of totals; a finding says what was left out."""
    findings = []
    if is_second_header(frame):
        cells = [str(cell) for cell in frame.iloc[0].head(_CELLS)]
        findings.append(Finding("second_header_left_out", facts={"file": name, "cells": cells}))
        frame = _with_numbers(frame.iloc[1:].reset_index(drop=True), frame)
    word = _total(frame)
    if word:
        findings.append(Finding("total_row_left_out", facts={"file": name, "word": word, "rows": len(frame)}))
        frame = _with_numbers(frame.iloc[:-1], frame)
    return frame, findings


def is_second_header(frame: pd.DataFrame) -> bool:
    """Whether the first row holds text in every column whose other cells are numbers, in at least two columns."""
    if len(frame) < 3:
        return False
    units = 0
    for column in _text_columns(frame):
        cells = frame[column]
        first = cells.iloc[0]
        others = cells.iloc[1:].dropna()
        if others.empty or not are_numbers(map(str, others.iloc[:20])).all() or not are_numbers(map(str, others)).all():
            continue
        if not isinstance(first, str) or is_placeholder(first) or are_numbers([first])[0]:
            return False
        units += 1
    # A column that is numeric as read has a number or nothing in the first row.
    return units >= 2 and not any(pd.notna(frame[column].iloc[0]) for column in frame.select_dtypes("number"))


def _total(frame: pd.DataFrame) -> str:
    """The word for a total that the last row alone holds, or nothing."""
    if len(frame) < 3:
        return ""
    for column in _text_columns(frame):
        cell = frame[column].iloc[-1]
        if isinstance(cell, str) and _TOTAL.fullmatch(cell.strip().rstrip(":")):
            others = frame[column].iloc[:-1]
            if not np.any(others.astype(str).str.strip() == cell.strip()):
                return cell.strip()
    return ""


def _with_numbers(left: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """What is left, with the columns as numbers that a cell of the row alone had made text."""
    numbers = {
        column: pd.to_numeric(left[column])
        for column in _text_columns(before)
        if left[column].notna().any() and are_numbers(map(str, left[column].dropna())).all()
    }
    return left.assign(**numbers)


def _text_columns(frame: pd.DataFrame) -> list[str]:
    return [str(column) for column, kind in frame.dtypes.items() if pd.api.types.is_string_dtype(kind)]
