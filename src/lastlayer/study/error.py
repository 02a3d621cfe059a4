"""The error of a study that cannot be run as asked."""

from __future__ import annotations


class StudyError(ValueError):
    """What was received, what is required, what to do: one sentence for the person who asked for the study."""
