"""A comparison as a picture: bars per mapping, what scaling and shifting do, and for three classes the simplex."""

from lastlayer.comparison.figure.draw import draw
from lastlayer.comparison.figure.files import require_format, save

__all__ = ["draw", "require_format", "save"]
