"""The root of a rising function between two ends, in arbitrary precision: how the oracles find their threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def false_position(excess: Callable[[Any], Any], mp: Any) -> Any:
    """The end above the root of `excess` in [0, 1], once the bracket is as narrow as the precision allows.

    The Illinois rule: the bracket always holds the root, and closes in about 16 steps. An end's value is halved only where the
    other end has moved twice in a row. Halved at every step, the bracket would close by one bit per step.
    """
    low, high = mp.mpf(0), mp.mpf(1)
    at_low, at_high = excess(low), excess(high)
    resolution = mp.ldexp(1, 8 - mp.prec)
    moved = ""
    while at_high != 0 and high - low > resolution:
        cut = (low * at_high - high * at_low) / (at_high - at_low)
        # Not nearer to an end than the resolution asks, so that both ends move.
        cut = min(max(cut, low + resolution / 2), high - resolution / 2)
        value = excess(cut)
        if value > 0:
            at_low = at_low / 2 if moved == "high" else at_low
            high, at_high, moved = cut, value, "high"
        else:
            at_high = at_high / 2 if moved == "low" else at_high
            low, at_low, moved = cut, value, "low"
    return high
