"""What goes wrong when a report is written, in one sentence for the user."""

from __future__ import annotations


class ReportError(ValueError):
    """A report that cannot be written: names the path and the remedy."""
