"""How the numbers of an evaluation are written: decimals that fit their intervals, shares that differ where they differ."""

from __future__ import annotations

import math

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.intervals import Estimate
from lastlayer.words.numbers import THIN, decimals_for, interval, number, percent


def loss_decimals(evaluation: Evaluation) -> int:
    """Decimals of log losses and their differences: two significant digits of a typical interval's half-width."""
    widths = [(found.difference.high - found.difference.low) / 2 for found in evaluation.maps]
    measure = evaluation.metrics["log_loss"]
    known = [width for width in widths if math.isfinite(width) and width > 0]
    return decimals_for(known or [(measure.high - measure.low) / 2], digits=1, at_least=3, at_most=6)


def between(estimate: Estimate, decimals: int) -> str:
    """` (0.01 to 0.02)`, or nothing if there is no interval."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    return f" ({number(estimate.low, decimals)} to {number(estimate.high, decimals)})"


def bounds(low: float, high: float, decimals: int, *, sign: bool = False) -> str:
    """`[low, high]`; nothing if there is none or it has no finite end."""
    return "" if math.isinf(low) and math.isinf(high) else interval(low, high, decimals, sign=sign)


def fine_percent(share: float) -> str:
    """A share as a percentage with one decimal, not to be broken; what is not all or none never reads so.

    >>> fine_percent(0.99999), fine_percent(0.25)
    ('more than 99.9\u202f%', '25\u202f%')
    """
    text = "more than 99.9 %" if 0.9995 <= share < 1 else percent(share)
    return text.replace(" %", f"{THIN}%")


def whole_percents(first: float, second: float) -> tuple[str, str]:
    """Two shares in whole percents, with a decimal where these would hide that they differ, or read as none or all.

    >>> whole_percents(0.901, 0.78), whole_percents(0.981, 0.978), whole_percents(0.999, 0.95)
    (('90\u202f%', '78\u202f%'), ('98.1\u202f%', '97.8\u202f%'), ('99.9\u202f%', '95\u202f%'))
    """
    shares = (first, second)
    texts = [f"{100 * value:.0f}{THIN}%" for value in shares]
    is_hidden = texts[0] == texts[1] and abs(first - second) >= 0.0005
    ends = (f"0{THIN}%", f"100{THIN}%")
    shown = [
        fine_percent(value) if is_hidden or (text in ends and 0 < value < 1) else text
        for value, text in zip(shares, texts, strict=True)
    ]
    return shown[0], shown[1]
