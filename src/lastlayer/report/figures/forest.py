"""The forest plot: one line per mapping, a mark at the mean, bars over its intervals, one reference line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lastlayer.marks import Mark
from lastlayer.report.figures.scale import Scale, focus, padded
from lastlayer.study.statistics.corrected_t import Estimate
from lastlayer.words.names import shorten_apart

WIDTH, ROW_HEIGHT, TOP = 380.0, 21.0, 10.0
#: Room for tick texts, and for the words at the axis' ends.
TICKS, ENDS = 22.0, 16.0
PLOT_START, PLOT_END = 130.0, 314.0
NAME_WIDTH = 16


@dataclass(frozen=True)
class ForestRow:
    """One line. `x` is None where there is no mean to draw; `arrow` is -1 or 1 where the mean is off the scale, `cut` says the
    same of the ends of the wider bar. `thin` is the adjusted interval, behind the plain one.
    """

    name: str
    mark: Mark
    y: float
    x: float | None
    bar: tuple[float, float] | None
    thin: tuple[float, float] | None
    cut: tuple[bool, bool]
    arrow: int
    value: str
    tooltip: str


@dataclass(frozen=True)
class Forest:
    """A forest plot in SVG units."""

    rows: Sequence[ForestRow]
    ticks: Sequence[tuple[float, str]]
    reference: float | None
    band: tuple[float, float] | None
    top: float
    bottom: float
    start: float
    end: float
    left_end: str
    right_end: str
    off_scale: Sequence[str]


@dataclass(frozen=True)
class ForestLine:
    """What a line of the plot shows."""

    name: str
    mark: Mark
    estimate: Estimate
    value: str
    tooltip: str
    adjusted: Estimate = field(default_factory=Estimate)


def forest(
    lines: Sequence[ForestLine],
    *,
    reference: float,
    margin: float | None = None,
    left_end: str = "",
    right_end: str = "",
) -> tuple[Forest, float]:
    """Lay the lines out; returns the plot and its height."""
    anchor = reference if math.isfinite(reference) else _middle([line.estimate.mean for line in lines])
    spans = [_span(line.estimate, line.adjusted) for line in lines]
    if math.isfinite(reference):
        spans.append((reference, reference, reference))
    if margin is not None:
        spans.append((reference - margin, reference, reference + margin))
    scale = Scale(*padded(*focus(spans, anchor)), PLOT_START, PLOT_END)
    names = shorten_apart([line.name for line in lines], NAME_WIDTH)
    rows = [_row(line, name, i, scale) for i, (line, name) in enumerate(zip(lines, names, strict=True))]
    bottom = TOP + ROW_HEIGHT * len(rows)
    plot = Forest(
        rows=rows,
        ticks=scale.ticks(4),
        reference=scale.place(reference) if math.isfinite(reference) else None,
        band=None if margin is None else (scale.place(reference - margin), scale.place(reference + margin)),
        top=TOP,
        bottom=bottom,
        start=PLOT_START,
        end=PLOT_END,
        left_end=left_end,
        right_end=right_end,
        off_scale=[line.name for line, row in zip(lines, rows, strict=True) if row.arrow],
    )
    return plot, bottom + TICKS + (ENDS if left_end else 0)


def _span(*estimates: Estimate) -> tuple[float, float, float]:
    """The mean of the first, with the ends of the widest interval."""
    mean = estimates[0].mean
    known = [estimate for estimate in estimates if estimate.has_interval]
    return min([mean, *(e.low for e in known)]), mean, max([mean, *(e.high for e in known)])


def _middle(values: Sequence[float]) -> float:
    finite = sorted(value for value in values if math.isfinite(value))
    return finite[len(finite) // 2] if finite else 0.0


def _row(line: ForestLine, name: str, i: int, scale: Scale) -> ForestRow:
    estimate, arrow = line.estimate, 0
    if estimate.mean > scale.high:
        arrow = 1
    elif estimate.mean < scale.low:
        arrow = -1
    drawn = not arrow and math.isfinite(estimate.mean)
    has_bar, has_thin = drawn and estimate.has_interval, drawn and line.adjusted.has_interval
    low, _, high = _span(estimate, line.adjusted)
    return ForestRow(
        name=name,
        mark=line.mark,
        y=TOP + ROW_HEIGHT * (i + 0.5),
        x=scale.place(estimate.mean) if drawn else None,
        bar=(scale.place(estimate.low), scale.place(estimate.high)) if has_bar else None,
        thin=(scale.place(line.adjusted.low), scale.place(line.adjusted.high)) if has_thin else None,
        cut=(has_bar and low < scale.low, has_bar and high > scale.high),
        arrow=arrow,
        value=line.value,
        tooltip=line.tooltip,
    )
