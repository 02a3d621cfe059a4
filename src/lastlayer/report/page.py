"""The page of a study."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lastlayer.report import answer, colophon, method, tables
from lastlayer.report.figures import build_figures
from lastlayer.report.model import model_card
from lastlayer.report.notes import TOGETHER, study_notes, warnings_of
from lastlayer.report.reading import Reading, read
from lastlayer.report.rendering import render_page, write_page
from lastlayer.report.sentences import Group
from lastlayer.report.training import trainings
from lastlayer.study.storage.results import StudyResults


def write_html(results: StudyResults, path: str | os.PathLike[str], *, model: Path | None = None) -> Path:
    """Write the report of a study to `path` and return the path.

    An earlier report survives a failure.

    Args:
        results: the study.
        path: the page.
        model: the file of the fitted model, if it was saved; the page then says how to load it.

    Raises:
        ReportError: the path cannot be written; the message names it and what to do.
    """
    return write_page(path, render_html(results, model=model))


def render_html(results: StudyResults, *, model: Path | None = None) -> str:
    """The page as text."""
    reading = read(results)
    return render_page(
        "report.html.jinja",
        kind="study",
        subject=results.dataset,
        results=results,
        rows=reading.rows,
        question=answer.question(reading),
        answer=answer.answer(reading),
        model=model_card(reading, model),
        warnings=warnings_of(results),
        figures=build_figures(reading),
        trainings=trainings(reading),
        data=method.data_sentence(reading),
        method=method.method_paragraphs(reading),
        left_out=method.left_out(reading),
        run=colophon.run_facts(reading),
        references=colophon.references(reading),
        **_tables(reading),
        **_notes(results),
    )


def _tables(reading: Reading) -> dict[str, Any]:
    advised = reading.advised
    return {
        "main_table": tables.main_table(reading),
        "ranking_table": tables.ranking_table(reading),
        "class_table": tables.class_table(reading, advised) if advised else None,
        "confusion_table": tables.confusion_table(reading, advised) if advised else None,
        "pairs_table": tables.pairs_table(reading, advised) if advised else None,
        "column_table": tables.column_table(reading),
        "comparison_tables": tables.comparison_tables(reading),
        "fit_table": tables.fit_table(reading),
        "valid_table": tables.valid_table(reading),
    }


def _notes(results: StudyResults) -> dict[str, Any]:
    """The note above the table, those of the section about the data, and (heading, notes) of the others; warnings go first."""
    notes = dict(study_notes(results))
    others = [
        (str(group), [note for note in said if note != TOGETHER])
        for group, said in notes.items()
        if group not in (Group.WARNING, Group.DATA)
    ]
    return {"data_notes": notes.get(Group.DATA, ()), "notes": others, "together": TOGETHER}
