"""The mappings that are shown first where nobody chose some."""

from __future__ import annotations

#: The two of the question, and two that give zeros.
FIRST = ("softmax", "ratio", "sparsemax", "hardmax")
