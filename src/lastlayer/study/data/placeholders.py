"""Columns of text that hold numbers: those read as numbers, with what became a missing value, and those that stayed text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lastlayer.findings import Finding
from lastlayer.study.data.forms import LearntForm
from lastlayer.study.data.numbers import NumberTexts, is_column_of_numbers, marks_in, number_of

#: Columns that get a finding each, columns that are named after those, and cells that a finding names.
_COLUMNS, _NAMED, _CELLS = 3, 20, 3


def text_findings(learnt: Mapping[str, LearntForm], name: str) -> tuple[Finding, ...]:
    """A finding for each text column that is read as numbers or nearly could be: what made it text, and in how many cells."""
    found = [(column, finding) for column, form in learnt.items() if (finding := _finding(column, form, name))]
    findings = []
    for code in dict.fromkeys(finding.code for _, finding in found):
        alike = [(column, finding) for column, finding in found if finding.code == code]
        findings += [finding for _, finding in alike[:_COLUMNS]]
        others = [column for column, _ in alike[_COLUMNS:]]
        if others:
            more = {"file": name, "columns": others[:_NAMED], "more": len(others[_NAMED:])}
            findings.append(Finding("more_numbers_read_as_text", facts=more))
    return tuple(findings)


def _finding(column: str, learnt: LearntForm, name: str) -> Finding | None:
    texts = learnt.texts
    if texts is None:
        return None
    facts = {"column": column, "file": name, "numbers": texts.n_numbers}
    if learnt.form.kind == "number":
        if not len(texts.words) and not len(texts.decorated):
            return Finding("numbers_stored_as_text", facts=facts)
        return Finding("text_read_as_numbers", facts=facts | _details(texts))
    cells = texts.n_numbers + int(texts.words.sum())
    if not texts.n_numbers or 2 * texts.n_numbers < cells or (is_column_of_numbers(texts) and not len(texts.words)):
        return None
    if not len(texts.words) and not len(texts.decorated):
        # Digits alone that stayed text: codes with leading zeros.
        return None
    return Finding("numbers_read_as_text", facts=facts | _details(texts))


def _details(texts: NumberTexts) -> dict[str, Any]:
    others = texts.words.iloc[_CELLS:]
    facts: dict[str, Any] = {
        "cells": texts.n_numbers + int(texts.words.sum()),
        "words": [[str(word), int(count)] for word, count in texts.words.head(_CELLS).items()],
        "other_words": [len(others), int(others.sum())],
    }
    if len(texts.decorated):
        first = str(texts.decorated.index[0])
        facts |= {
            "decorated": int(texts.decorated.sum()),
            "marks": marks_in(map(str, texts.decorated.index)),
            "example": first,
            "example_as_number": f"{number_of(first, texts.decimal):.15g}" if texts.decimal else "",
        }
    return facts
