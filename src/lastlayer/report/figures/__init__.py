"""The report's figures: geometry and captions computed from the results; the drawing itself is in templates/."""

from lastlayer.report.figures.build import build_figures
from lastlayer.report.figures.figure import Figure, Panel

__all__ = ["Figure", "Panel", "build_figures"]
