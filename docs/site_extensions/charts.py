"""Small line charts as SVG inside a page: text in the page's font, colours that follow its light and dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 320, 236
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 34, 26


@dataclass(frozen=True)
class Curve:
    """Values over the chart's x; NaN is a gap. `style` is a class of site.css: `hue-2`, or `other` for what is compared with."""

    y: Sequence[float]
    style: str
    name: str = ""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with a number at each of `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float, start: float, end: float) -> float:
        return start + (value - self.low) / (self.high - self.low) * (end - start)


def chart(title: str, description: str, x: Sequence[float], curves: Sequence[Curve], axes: tuple[Axis, Axis]) -> str:
    """One chart. `description` says in words what it shows, for those who do not see it."""
    across, up = axes
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description, quote=True)}">',
        f'<text class="title" x="{left}" y="16">{escape(title)}</text>',
    ]
    for tick in up.ticks:
        y = up.place(tick, bottom, top)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in across.ticks:
        place = across.place(tick, left, right)
        parts.append(
            f'<text class="tick" x="{place:.1f}" y="{bottom + 17}" text-anchor="middle">{_number(tick)}</text>'
        )
    for curve in curves:
        places = [
            (across.place(x_i, left, right), up.place(y_i, bottom, top)) if up.low <= y_i <= up.high else None
            for x_i, y_i in zip(x, _clipped(curve.y, up), strict=True)
        ]
        parts.append(f'<path class="curve {curve.style}" d="{_path(places)}"/>')
    parts.append("</svg>")
    return "\n".join(parts)


def _clipped(values: Sequence[float], axis: Axis) -> list[float]:
    """The values, where a curve leaves the chart its first value beyond it is put on the edge."""
    clipped = list(values)
    for i, (a, b) in enumerate(pairwise(values)):
        for inside, outside, place in ((a, b, i + 1), (b, a, i)):
            if axis.low <= inside <= axis.high and not axis.low <= outside <= axis.high and not math.isnan(outside):
                clipped[place] = min(max(outside, axis.low), axis.high)
    return clipped


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    drawn, is_open = [], False
    for place in places:
        if place is not None:
            drawn.append(f"{'L' if is_open else 'M'}{place[0]:.1f} {place[1]:.1f}")
        is_open = place is not None
    return "".join(drawn)


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
