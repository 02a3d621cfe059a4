"""Errors that a user can do something about."""

from __future__ import annotations


class EvaluationError(ValueError):
    """What was received, what is required, what to do."""
