"""The page of an evaluation: answer and advice first, then tables and pictures, then how it was done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lastlayer.evaluation import Evaluation
from lastlayer.report.evaluation import answer, method
from lastlayer.report.evaluation.classes import class_table, pairs_table
from lastlayer.report.evaluation.figures import evaluation_figures, reliability_table
from lastlayer.report.evaluation.ladder import ladder_table
from lastlayer.report.evaluation.metrics import metric_table
from lastlayer.report.evaluation.notes import data_notes, map_notes
from lastlayer.report.evaluation.use import use_card
from lastlayer.report.notes import warnings_of
from lastlayer.report.rendering import render_page, write_page


def write_evaluation_html(
    evaluation: Evaluation, path: str | os.PathLike[str], *, calibrator: Path | None = None
) -> Path:
    """Write the report of an evaluation to `path` and return the path.

    An earlier report survives a failure.

    Args:
        evaluation: what `lastlayer.evaluation.evaluate_scores` returned.
        path: the page.
        calibrator: the calibrator.json of the advised map, if it was written; the page then says how to load it.

    Raises:
        ReportError: the path cannot be written; the message names it and what to do.
    """
    return write_page(path, render_evaluation_html(evaluation, calibrator=calibrator))


def render_evaluation_html(evaluation: Evaluation, *, calibrator: Path | None = None) -> str:
    """The page as text."""
    return render_page(
        "evaluation.html.jinja",
        kind="evaluate",
        subject=evaluation.source,
        evaluation=evaluation,
        question=answer.question(evaluation),
        answer=answer.answer(evaluation),
        warnings=warnings_of(evaluation),
        use=use_card(evaluation, calibrator),
        figures=evaluation_figures(evaluation),
        data=method.data_sentence(evaluation),
        data_notes=data_notes(evaluation),
        map_notes=map_notes(evaluation),
        method=method.method_paragraphs(evaluation),
        run=method.run_facts(evaluation),
        references=method.references(evaluation),
        **_tables(evaluation),
    )


def _tables(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "metric_table": metric_table(evaluation),
        "ladder_table": ladder_table(evaluation),
        "class_table": class_table(evaluation),
        "pairs_table": pairs_table(evaluation),
        "bin_table": reliability_table(evaluation),
    }
