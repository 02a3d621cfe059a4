"""Figure: how wide the scores are that a model learns, against how sharp the probabilities become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lastlayer.marks import Mark
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.labels import Label, place_labels
from lastlayer.report.figures.scale import Scale, padded
from lastlayer.report.reading import Reading, Row, Spread
from lastlayer.words.names import shorten_apart
from lastlayer.words.numbers import compact, number

WIDTH, HEIGHT = 400.0, 372.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 390.0, 10.0, 328.0


@dataclass(frozen=True)
class Dot:
    """A mapping: its place, the range over the fits each way, and its name's place where there was room."""

    mark: Mark
    x: float
    y: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    label: Label | None
    tooltip: str


@dataclass(frozen=True)
class Scatter:
    """The scatter plot in SVG units."""

    dots: Sequence[Dot]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    is_log: bool
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class LegendRow:
    """A line of the table next to the plot."""

    row: Row
    scale: Spread
    sharpness: Spread


def sharpness_figure(reading: Reading) -> Figure:
    """One scatter plot with a table of its numbers."""
    legend = [LegendRow(row, row.spread("score_scale"), row.spread("sharpness")) for row in reading.rows]
    known = [item for item in legend if math.isfinite(item.scale.mean) and math.isfinite(item.sharpness.mean)]
    how = (
        "Score scale is the standard deviation of the test scores, sharpness the mean top probability. Marks are means over "
        "the fits, thin lines reach from the least to the largest fit."
    )
    panels = [_panel(known)] if known else []
    return Figure(
        "sharpness", "Score scale against sharpness", _see(known), how, panels, "beside", legend, is_folded=True
    )


def _panel(known: Sequence[LegendRow]) -> Panel:
    x, y = _x_scale(known), _y_scale(known)
    places = [(x.place(item.scale.mean), y.place(item.sharpness.mean)) for item in known]
    names = shorten_apart([item.row.name for item in known], 18)
    labels = place_labels(places, names, (LEFT, TOP, RIGHT, BOTTOM))
    dots = [
        Dot(
            mark=item.row.mark,
            x=place[0],
            y=place[1],
            x_range=(x.place(item.scale.least), x.place(item.scale.most)),
            y_range=(y.place(item.sharpness.least), y.place(item.sharpness.most)),
            label=label,
            tooltip=f"{item.row.name}: score scale {compact(item.scale.mean)}, sharpness {number(item.sharpness.mean, 3)}",
        )
        for item, place, label in zip(known, places, labels, strict=True)
    ]
    return Panel(
        kind="scatter",
        title="Score scale against sharpness",
        description="; ".join(dot.tooltip for dot in dots),
        width=WIDTH,
        height=HEIGHT,
        drawing=Scatter(dots, x.ticks(5), y.ticks(5), x.is_log, LEFT, RIGHT, TOP, BOTTOM),
    )


def _x_scale(known: Sequence[LegendRow]) -> Scale:
    """Logarithmic where the scales span a factor of eight or more."""
    low, high = (min(item.scale.least for item in known), max(item.scale.most for item in known))
    if low > 0 and high / low >= 8:
        low, high = (10**end for end in padded(math.log10(low), math.log10(high), 0.06))
        return Scale(low, high, LEFT, RIGHT, is_log=True)
    return Scale(*padded(low, high, 0.08), LEFT, RIGHT)


def _y_scale(known: Sequence[LegendRow]) -> Scale:
    low, high = (min(item.sharpness.least for item in known), max(item.sharpness.most for item in known))
    return Scale(*padded(low, high, 0.08), BOTTOM, TOP)


def _see(known: Sequence[LegendRow]) -> str:
    """The extremes, and the pair that shows best that one sharpness can come from very different scores."""
    if not known:
        return "No mapping gave probabilities, so there is nothing to show."
    scales = sorted(known, key=lambda item: item.scale.mean)
    sharp = sorted(known, key=lambda item: item.sharpness.mean)
    if len(known) == 1:
        only = known[0]
        return (
            f"{only.row.name}’s scores have a standard deviation of {compact(only.scale.mean)} "
            f"and its mean top probability is {number(only.sharpness.mean, 2)}."
        )
    text = (
        f"Scores are narrowest under {scales[0].row.name} (standard deviation {compact(scales[0].scale.mean)}) and widest under "
        f"{scales[-1].row.name} ({compact(scales[-1].scale.mean)}); {sharp[-1].row.name} is the sharpest "
        f"({number(sharp[-1].sharpness.mean, 2)}) and {sharp[0].row.name} the least sharp ({number(sharp[0].sharpness.mean, 2)})."
    )
    pair = _alike_but_wider(known)
    if pair:
        narrow, wide = pair
        text += (
            f" {wide.row.name} and {narrow.row.name} are about equally sharp ({number(wide.sharpness.mean, 2)} and "
            f"{number(narrow.sharpness.mean, 2)}), yet {wide.row.name}’s scores are "
            f"{compact(wide.scale.mean / narrow.scale.mean)} times as wide."
        )
    return text


def _alike_but_wider(known: Sequence[LegendRow]) -> tuple[LegendRow, LegendRow] | None:
    """The pair within 0.02 in sharpness whose score scales differ by the largest factor, at least 1.5."""
    best, factor = None, 1.5
    for one, other in combinations(known, 2):
        narrow, wide = sorted((one, other), key=lambda item: item.scale.mean)
        alike = abs(one.sharpness.mean - other.sharpness.mean) <= 0.02
        if alike and narrow.scale.mean > 0 and wide.scale.mean / narrow.scale.mean >= factor:
            best, factor = (narrow, wide), wide.scale.mean / narrow.scale.mean
    return best
