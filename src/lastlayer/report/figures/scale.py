"""From values to places on the page: linear and logarithmic scales, their ticks, and which range to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lastlayer.words.numbers import compact, number


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` onto places from `start` to `end` (which may run backwards, as y does)."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Where a value is drawn, held to the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Round values inside the range, about `count` of them, as (place, text)."""
        values = _log_ticks(self.low, self.high, count) if self.is_log else _linear_ticks(self.low, self.high, count)
        return [(self.place(value), text) for value, text in values]


def _linear_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if decimals > 6 or abs(high) >= 1e5:
        return [(i * step, compact(i * step)) for i in range(first, last + 1)]
    return [(i * step, number(i * step, decimals)) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(inside) <= count + 2:
            break
    every = max(1, math.ceil(len(inside) / (count + 2)))
    return [(value, compact(value)) for value in inside[::every]]


def padded(low: float, high: float, part: float = 0.05) -> tuple[float, float]:
    """The range with some air; a range without width gets some around its value."""
    width = high - low
    if width <= 1e-12 * max(abs(low), abs(high), 1e-300):
        width = max(abs(low) * 0.1, 1e-6)
        return low - width, high + width
    return low - part * width, high + part * width


def focus(spans: Sequence[tuple[float, float, float]], anchor: float) -> tuple[float, float]:
    """The range worth showing of spans (low, mean, high): all of them, unless a few are far from the rest.

    The two thirds nearest to `anchor` are always in; a further span is in while the range stays within four times theirs.
    What is left out is drawn as an arrow at the edge, with its value in numbers.
    """
    near = sorted((span for span in spans if math.isfinite(span[1])), key=lambda span: abs(span[1] - anchor))
    if not near:
        return anchor, anchor
    core = near[: max(2, math.ceil(2 * len(near) / 3))]
    low, high = min(span[0] for span in core), max(span[2] for span in core)
    room = 4 * (high - low) if high > low else math.inf
    for span in near[len(core) :]:
        wider = min(low, span[0]), max(high, span[2])
        if wider[1] - wider[0] <= room:
            low, high = wider
    return low, high
