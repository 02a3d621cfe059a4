"""All figures of a report, in order."""

from __future__ import annotations

from lastlayer.report.figures.differences import differences_figure
from lastlayer.report.figures.disagreements import disagreements_figure
from lastlayer.report.figures.figure import Figure
from lastlayer.report.figures.histograms import histogram_figure
from lastlayer.report.figures.levels import levels_figure
from lastlayer.report.figures.reliability import reliability_figure
from lastlayer.report.figures.sharpness import sharpness_figure
from lastlayer.report.reading import Reading


def build_figures(reading: Reading) -> list[Figure]:
    """What to see first, differences from softmax and reliability, then what is folded: means, histograms, score scale."""
    figures = (
        differences_figure(reading),
        reliability_figure(reading),
        disagreements_figure(reading),
        levels_figure(reading),
        histogram_figure(reading),
        sharpness_figure(reading),
    )
    return [figure for figure in figures if figure is not None]
