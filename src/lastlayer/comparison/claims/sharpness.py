"""Who is sharper, softmax or the ratio, and at which multiple of the scores that turns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lastlayer.comparison.claims.case import Case, Verdict, probabilities_of
from lastlayer.words.numbers import short


def sharper(case: Case) -> Verdict:
    """Softmax sharpens wide scores and flattens narrow ones; the ratio looks at proportions alone."""
    if case.classes == 1:
        return None, "One class: its probability is 1 either way."
    if case.all_equal:
        return None, "All scores are equal, and so are the probabilities."
    here = f"Largest probability: softmax {short(case.softmax.max())}"
    if not case.has_ratio:
        half = probabilities_of(0.5 * case.scores, "softmax").max()
        return (
            None,
            f"{here} (at half these scores {short(half)}); the ratio is undefined.",
        )
    here += f", ratio {short(case.ratio.max())}"
    turn = turning_scale(case.scores)
    if turn is None:
        return (
            False,
            f"{here}: the ratio is sharper, at any scale, for it gives a zero score exactly nothing.",
        )
    if math.isclose(turn, 1.0, rel_tol=1e-9):
        return (
            None,
            f"{here}: equally sharp. Softmax is sharper for any larger multiple of these scores.",
        )
    if turn < 1:
        return (
            True,
            f"{here}. It turns at {short(turn)} times these scores: below, the ratio is sharper.",
        )
    where = f"{short(turn)} times these scores" if math.isfinite(turn) else "a multiple too large for a float64"
    return False, f"{here}: the ratio is sharper. It turns at {where}."


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
