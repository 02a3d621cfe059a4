"""A comparison as lines of text, for a terminal of any width and for Python's prompt."""

from lastlayer.comparison.text.layout import layout
from lastlayer.comparison.text.paper import Line, Paper, as_text

__all__ = ["Line", "Paper", "as_text", "layout"]
