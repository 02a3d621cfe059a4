"""Results of a study as a terminal table and as one self-contained HTML page."""

from lastlayer.report.error import ReportError
from lastlayer.report.page import write_html
from lastlayer.report.terminal import render_table

__all__ = ["ReportError", "render_table", "write_html"]
