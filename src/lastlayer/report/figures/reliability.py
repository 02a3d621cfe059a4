"""Figure: reliability diagrams, one small panel per mapping, softmax's line in grey behind each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lastlayer.report.figures.calibration import Calibration, calibration_of
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.scale import Scale
from lastlayer.report.reading import Reading, Row
from lastlayer.study.schema import REFERENCE
from lastlayer.words.lists import listing
from lastlayer.words.names import shorten
from lastlayer.words.numbers import number

WIDTH, HEIGHT = 160.0, 160.0
LEFT, RIGHT, TOP, BOTTOM = 36.0, 152.0, 6.0, 128.0


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram in SVG units."""

    points: Sequence[tuple[float, float]]
    behind: Sequence[tuple[float, float]]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    x: Scale
    y: Scale


@dataclass(frozen=True)
class Frame:
    """The axes that all panels share, from `low` to 1."""

    low: float

    @property
    def x(self) -> Scale:
        """Confidence."""
        return Scale(self.low, 1.0, LEFT, RIGHT)

    @property
    def y(self) -> Scale:
        """Accuracy."""
        return Scale(self.low, 1.0, BOTTOM, TOP)

    def points(self, calibration: Calibration) -> list[tuple[float, float]]:
        """Where the bins are."""
        return [(self.x.place(confidence), self.y.place(accuracy)) for confidence, accuracy, _ in calibration.bins]


def reliability_figure(reading: Reading) -> Figure:
    """Small multiples; a bin's accuracy against its mean top probability."""
    calibrations = [(row, calibration_of(row)) for row in reading.rows]
    behind = calibration_of(reading.reference) if reading.reference else Calibration(())
    frame = Frame(_lowest([calibration for _, calibration in calibrations]))
    how = (
        "Test rows are sorted by their top probability into 15 bins of equal size; a point is one bin. On the diagonal a "
        "stated 80 % is right 80 % of the time; above it the model is under-confident, below it over-confident. "
        "Rows of all folds are pooled; rows outside a mapping’s domain have no probability and are not in it."
    )
    if behind.bins:
        how += f" The grey line is {REFERENCE}’s."
    panels = [_panel(row, calibration, behind, frame) for row, calibration in calibrations]
    return Figure("reliability", "Do the probabilities mean what they say?", _see(calibrations), how, panels, "small")


def _lowest(calibrations: Sequence[Calibration]) -> float:
    """Where the axes begin: the tenth below every bin, so that confident models do not crowd one corner."""
    values = [value for calibration in calibrations for c, a, _ in calibration.bins for value in (c, a)]
    return max(0.0, min(math.floor(10 * min(values, default=0.0)) / 10, 0.8))


def _panel(row: Row, calibration: Calibration, behind: Calibration, frame: Frame) -> Panel:
    gap = f"gap {number(calibration.gap, 3)}"
    bins = ", ".join(f"{number(c, 2)} right {number(a, 2)}" for c, a, _ in calibration.bins)
    return Panel(
        kind="reliability",
        title=shorten(row.name, 40),
        description=f"Stated and observed, bin by bin: {bins}." if bins else "No rows with probabilities.",
        width=WIDTH,
        height=HEIGHT,
        drawing=Diagram(
            points=frame.points(calibration),
            behind=[] if row.is_reference else frame.points(behind),
            x_ticks=frame.x.ticks(4),
            y_ticks=frame.y.ticks(4),
            x=frame.x,
            y=frame.y,
        ),
        mark=row.mark,
        note=", ".join(filter(None, (gap, calibration.tendency))) if calibration.bins else "no rows",
    )


def _see(calibrations: Sequence[tuple[Row, Calibration]]) -> str:
    known = [(c.gap, row, c) for row, c in calibrations if not math.isnan(c.gap)]
    if not known:
        return "No mapping gave probabilities, so there is nothing to calibrate."
    known.sort(key=lambda item: item[0])
    gap, nearest, _ = known[0]
    text = f"{nearest.name} is nearest to the diagonal, {number(gap, 3)} from it on average"
    if len(known) > 1:
        far_gap, farthest, far = known[-1]
        text += f"; {farthest.name} is farthest, {number(far_gap, 3)}"
        if far.tendency:
            text += f" and {far.tendency}: it says {number(far.confidence, 2)} on average "
            text += f"and is right {number(far.accuracy, 2)} of the time"
    softmax = next((c for _, row, c in known[1:-1] if row.is_reference), None)
    if softmax is not None:
        text += f"; {REFERENCE}’s gap is {number(softmax.gap, 3)}"
    text += "."
    absent = [row.name for row, c in calibrations if math.isnan(c.gap)]
    if absent:
        text += f" No probabilities at all: {listing(absent)}."
    return text
