"""Who is more certain, softmax or the ratio, at which multiple of the scores that turns, and what softmax goes to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lastlayer.comparison.claims.case import EPS, Case, Here, Verdict, probabilities_of
from lastlayer.words.numbers import probability, short


def sharper(case: Case) -> Verdict:
    """Softmax sharpens large scores and flattens small ones; the ratio sees proportions alone."""
    if case.all_equal:
        return "not tested", case.nothing_ahead
    if not case.has_ratio:
        return "not tested", "The ratio has no answer here, so there is nothing to compare softmax with."
    softmax, ratio = (probability(float(p.max())) for p in (case.softmax, case.ratio))
    softmax_first, ratio_first = f"{softmax} against {ratio}", f"{ratio} against {softmax}"
    if softmax == ratio:
        softmax_first = ratio_first = f"by less than the digits of {ratio} show"
    turn = turning_scale(case.scores)
    if turn is None:
        reason = "the others have the score zero, and it gives them exactly nothing"
        return "no", f"The ratio is more certain, {ratio_first}, and stays so at any multiple: {reason}."
    if math.isclose(turn, 1.0, rel_tol=1e-9):
        return "no", f"Both give {softmax} to the largest score. Softmax is more certain for any larger multiple."
    if turn < 1:
        agree = f"If all scores were {short(turn)} times as large the two would agree"
        return (
            "yes",
            f"Softmax is more certain, {softmax_first}. {agree}; below that the ratio is more certain.",
        )
    if math.isinf(turn):
        return "no", f"The ratio is more certain, {ratio_first}, at every multiple that a float64 holds."
    agree = f"If all scores were {short(turn)} times as large the two would agree"
    return "no", f"The ratio is more certain, {ratio_first}. {agree}; beyond that softmax is more certain."


def soft_max(case: Case) -> Verdict:
    """softmax(c·x) goes to the one-hot argmax as c grows, ratio(c·x) nowhere."""
    if case.all_equal:
        return "not tested", case.nothing_ahead
    factor = _enlarging(case)
    top = float(case.softmax.max())
    enlarged = float(probabilities_of(factor * case.scores, "softmax").max())
    # Both may be 1, give or take a rounding.
    here: Here = "yes" if enlarged >= top * (1 - 8 * EPS) else "no"
    ratio = f", the ratio still {probability(float(case.ratio.max()))}" if case.has_ratio else ""
    tied = int(np.sum(case.scores == case.scores.max()))
    ties = f" It is shared by the {tied} largest scores." if tied > 1 else ""
    if factor == 1:
        return (
            here,
            f"Softmax gives the largest score {probability(top)} here{ratio}; larger multiples do not fit a float64.{ties}",
        )
    gives = f"Softmax gives the largest score {probability(top)} here, and {probability(enlarged)} at {short(factor)} times these scores"
    return here, f"{gives}{ratio}.{ties}"


def _enlarging(case: Case) -> float:
    """A power of ten that makes the largest score clearly the largest; 1 where the scores are too large for any."""
    ordered = np.unique(case.scores)
    gap = float(ordered[-1] - ordered[-2])
    if not 10 * case.size < 1e308:
        return 1.0
    power = max(1, math.ceil(math.log10(5.0) - math.log10(gap)))
    return float(10.0 ** min(power, 300, math.floor(300 - math.log10(case.size))))


def turning_scale(scores: NDArray[np.float64]) -> float | None:
    """The c > 0 with max softmax(c·x) = max ratio(x), for finite x ≥ 0 that are not all equal.

    The ratio does not change when every score is multiplied by c, while softmax goes from uniform to one-hot; so there
    is one such c. With d = (x − max x) / (max x − min x) it is u / (max x − min x) for the u that solves
    Σ exp(u·dᵢ) = Σ xᵢ / max x, both sums without the largest score: each side is (1 − p) / p of the largest probability
    p, which keeps its digits where p rounds to 1. None where no c does it: every score but the largest ones is zero.

    >>> math.isclose(turning_scale(np.array([1.0, 0.5])), math.log(2) / 0.5)
    True
    """
    top = int(np.argmax(scores))
    spread = float(scores[top] - scores.min())
    others = np.delete(scores, top)
    goal = float(np.sum(others / scores[top]))
    distances = (others - scores[top]) / spread

    def rest(u: float) -> float:
        return float(np.sum(np.exp(u * distances)))

    if goal <= np.sum(others == scores[top]):
        return None
    low, high = 0.0, 1.0
    while rest(high) > goal:
        low, high = high, 2.0 * high
    # `rest` decreases in u: halve the bracket down to neighbouring floats.
    while low < (middle := (low + high) / 2.0) < high:
        low, high = (middle, high) if rest(middle) > goal else (low, middle)
    return high / spread if high < spread * float(np.finfo(np.float64).max) else math.inf
