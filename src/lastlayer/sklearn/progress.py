"""When a fit is cut short: where more iterations would gain too little for what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: A larger tolerance does not cut a fit short any earlier.
LOOSEST = 1e-3


class Patience(NamedTuple):
    """A fit is cut short where its last iterations decreased the objective by less than `share` · tol of it each.

    The longer it takes, the more an iteration has to gain: the share grows with the square of the number of iterations. Every fit
    has `fewest` iterations, and more of them for a smaller tolerance: ten times as many at 1e-8.
    """

    share: float
    #: The number of iterations that are looked at.
    window: int
    #: The number that every fit is allowed at a tolerance of 1e-4.
    fewest: int

    def is_over(self, objectives: Sequence[float], tol: float) -> bool:
        """Whether the objectives after each iteration, the first one before any, have come to a crawl."""
        iterations, allowed = len(objectives) - 1, self.fewest * max(1.0, 1e-4 / tol) ** 0.25
        if iterations < allowed:
            return False
        share = self.share * min(tol, LOOSEST) * (iterations / allowed) ** 2
        gain = objectives[-1 - self.window] - objectives[-1]
        return 0.0 <= gain <= share * self.window * abs(objectives[-1])


#: What the warning of a fit that was cut short says.
CUT_SHORT = "it was cut short, since its last iterations decreased the objective too little"
