"""Results of a study in words and pictures: a terminal table, one self-contained HTML page, sentences."""

from lastlayer.report.answer import decision_sentences
from lastlayer.report.notes import finding_remedy, finding_sentence, study_notes
from lastlayer.report.page import write_html
from lastlayer.report.rendering import ReportError
from lastlayer.report.terminal import render_table

__all__ = [
    "ReportError",
    "decision_sentences",
    "finding_remedy",
    "finding_sentence",
    "render_table",
    "study_notes",
    "write_html",
]
