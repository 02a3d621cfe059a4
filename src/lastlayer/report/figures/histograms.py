"""Figure: how sure each mapping is, as histograms of the top probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lastlayer.report.figures.calibration import calibration_of
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.scale import Scale
from lastlayer.report.reading import Reading, Row
from lastlayer.study.schema import REFERENCE
from lastlayer.words.names import shorten
from lastlayer.words.numbers import number, share

WIDTH, HEIGHT = 160.0, 130.0
LEFT, RIGHT, TOP, BOTTOM = 32.0, 152.0, 6.0, 98.0


@dataclass(frozen=True)
class Bars:
    """A histogram in SVG units: bars as (x, y, width, height); where the mean confidence and the accuracy are.

    `cut` has (x, share) of the bars that are higher than the panel.
    """

    bars: Sequence[tuple[float, float, float, float]]
    cut: Sequence[tuple[float, str]]
    confidence: float | None
    accuracy: float | None
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    x: Scale
    y: Scale


@dataclass(frozen=True)
class Shares:
    """A mapping's bins as (left, right, share of its rows)."""

    row: Row
    bins: tuple[tuple[float, float, float], ...]

    @property
    def tallest(self) -> float:
        """The share in the fullest bin."""
        return max(part for _, _, part in self.bins)

    @property
    def last(self) -> float:
        """The share in the last bin, where the mapping is as good as sure."""
        return self.bins[-1][2] if self.bins else math.nan


def histogram_figure(reading: Reading) -> Figure:
    """Small multiples with one common height scale."""
    histograms = [_shares(row) for row in reading.rows]
    lowest = min((left for histogram in histograms for left, _, part in histogram.bins if part), default=0.0)
    x = Scale(math.floor(10 * lowest + 1e-9) / 10, 1.0, LEFT, RIGHT)
    y = Scale(0.0, _common_height([histogram.tallest for histogram in histograms if histogram.bins]), BOTTOM, TOP)
    how = (
        "Bars are shares of the test rows by their top probability, all panels to one height. The solid line is the mean top "
        "probability, the dashed line the accuracy on the same rows: a solid line left of the dashed one is under-confidence."
    )
    if any(histogram.tallest > y.high for histogram in histograms if histogram.bins):
        how += " A column that is higher than its panel has its share written next to it."
    panels = [_panel(histogram, x, y) for histogram in histograms]
    return Figure("histograms", "How sure each mapping is", _see(histograms), how, panels, "small", is_folded=True)


def _shares(row: Row) -> Shares:
    frame = row.histogram[["left", "right", "count"]].apply(pd.to_numeric, errors="coerce").dropna().sort_values("left")
    total = float(frame["count"].sum())
    if not total:
        return Shares(row, ())
    return Shares(row, tuple((float(a), float(b), float(n) / total) for a, b, n in frame.itertuples(index=False)))


def _common_height(tallest: Sequence[float]) -> float:
    """The height of all panels, in tenths: of the highest column, or of the next where one is twice as high as that.

    Hardmax puts every row into the last bin; at its height the other mappings' columns would lie flat.
    """
    ordered = sorted(tallest, reverse=True) or [1.0]
    height = ordered[1] if len(ordered) > 2 and ordered[0] >= 2 * ordered[1] else ordered[0]
    return max(math.ceil(10 * height - 1e-9), 1) / 10


def _panel(histogram: Shares, x: Scale, y: Scale) -> Panel:
    row, calibration = histogram.row, calibration_of(histogram.row)
    known = bool(calibration.bins)
    note = f"says {number(calibration.confidence, 2)}, right {number(calibration.accuracy, 2)}" if known else "no rows"
    bars = []
    for left, right, part in histogram.bins:
        if part:
            top = min(y.place(part), BOTTOM - 0.5)
            width = max(x.place(right) - x.place(left) - 0.6, 0.4)
            bars.append((x.place(left), top, round(width, 2), round(BOTTOM - top, 2)))
    filled = ", ".join(f"{number(a, 2)} to {number(b, 2)}: {share(part)}" for a, b, part in histogram.bins if part)
    return Panel(
        kind="histogram",
        title=shorten(row.name, 40),
        description=f"Rows by top probability, {filled}." if filled else "No rows with probabilities.",
        width=WIDTH,
        height=HEIGHT,
        drawing=Bars(
            bars=bars,
            cut=[(x.place(left), share(part)) for left, _, part in histogram.bins if part > y.high],
            confidence=x.place(calibration.confidence) if known else None,
            accuracy=x.place(calibration.accuracy) if known else None,
            x_ticks=x.ticks(4),
            y_ticks=[(BOTTOM, "0"), (TOP, f"{100 * y.high:.0f}%")],
            x=x,
            y=y,
        ),
        mark=row.mark,
        note=note,
    )


def _see(histograms: Sequence[Shares]) -> str:
    known = sorted((h for h in histograms if h.bins), key=lambda histogram: histogram.last)
    if not known:
        return "No mapping gave probabilities."
    edge = number(known[0].bins[-1][0], 2)
    least, most = known[0], known[-1]
    if len(known) == 1:
        return f"{most.row.name} gives {share(most.last)} of the rows a top probability of {edge} or more."
    text = (
        f"{most.row.name} gives {share(most.last)} of the rows a top probability of {edge} or more, "
        f"{least.row.name} {share(least.last)}"
    )
    softmax = next((h for h in known[1:-1] if h.row.is_reference), None)
    if softmax is not None:
        text += f"; {REFERENCE} {share(softmax.last)}"
    return f"{text}."
