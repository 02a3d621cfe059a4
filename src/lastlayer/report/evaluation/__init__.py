"""An evaluation in words and pictures: JSON with sentences, text for a terminal, and one self-contained HTML page."""

from lastlayer.report.evaluation.form import evaluation_form
from lastlayer.report.evaluation.page import write_evaluation_html
from lastlayer.report.evaluation.terminal import render_evaluation

__all__ = ["evaluation_form", "render_evaluation", "write_evaluation_html"]
