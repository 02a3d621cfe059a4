"""One self-contained HTML page: no script, no font, no image from anywhere else."""

from __future__ import annotations

import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from lastlayer.files import expanded, replace_text
from lastlayer.report import answer, method, tables
from lastlayer.report.figures import build_figures
from lastlayer.report.notes import study_notes
from lastlayer.report.palette import HUES
from lastlayer.report.reading import read
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.names import shorten
from lastlayer.words.numbers import compact, number
from lastlayer.words.printable import clean


class ReportError(ValueError):
    """A report that cannot be written: names the path and what to do."""


def write_html(results: StudyResults, path: str | os.PathLike[str]) -> Path:
    """Write the report of a study to `path` and return the path.

    An earlier report survives a failure.

    Raises:
        ReportError: the path cannot be written; the message names it and what to do.
    """
    target = expanded(path)
    page = render_html(results)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_text(target, page)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(
            f"The report cannot be written to {target}: {reason}. Give a folder you may write to, with room on the disk."
        ) from error
    return target


def render_html(results: StudyResults) -> str:
    """The page as text."""
    reading = read(results)
    short, rest = answer.answer(reading)
    environment = Environment(
        loader=PackageLoader("lastlayer.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clean=clean, compact=compact, number=number, shorten=shorten)
    return environment.get_template("report.html.jinja").render(
        results=results,
        settings=results.settings,
        rows=reading.rows,
        has_verdicts=any(row.verdict for row in reading.others),
        hues=HUES,
        question=answer.question(reading),
        answer_short=short,
        answer_rest=rest,
        main_table=tables.main_table(reading),
        figures=build_figures(reading),
        comparison_tables=tables.comparison_tables(reading),
        valid_table=tables.valid_table(reading),
        fit_table=tables.fit_table(reading),
        equation_table=tables.equation_table(reading),
        method=method.method_paragraphs(reading),
        notes=study_notes(results),
        left_out=method.left_out(reading),
        versions=method.versions(),
        references=method.references(reading),
    )
