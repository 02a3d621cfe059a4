"""What is and what is not differentiable about a maximum."""

from __future__ import annotations

import numpy as np

from lastlayer.comparison.claims.case import EPS, Case, Verdict, largest_change, probabilities_of
from lastlayer.words.numbers import short, tuple_of


def max_slope(case: Case) -> Verdict:
    """max(x) has a slope off ties; the one-hot argmax, hardmax, jumps at a tie and is flat elsewhere."""
    if case.classes == 1:
        return "not tested", "One class: there is nothing to choose."
    here = probabilities_of(case.scores, "hardmax")
    descending = np.sort(case.scores)[::-1]
    if descending[0] == descending[1]:
        return "yes", _at_a_tie(case)
    # A quarter of the gap, at most that of the largest float64: neither the gap nor a moved score may overflow.
    step = min(float(descending[0] / 4 - descending[1] / 4), (float(np.finfo(float).max) - case.size) / 4)
    if case.classes > 100:
        change = 0.0
    else:
        moves = step * np.vstack([np.eye(case.classes), -np.eye(case.classes)])
        change = largest_change(probabilities_of(case.scores + moves, "hardmax"), here)
    flat = f"nudge any score by {short(step)} and the one-hot answer changes by {short(change)}"
    # The gradient of the maximum is hardmax itself.
    return (
        "half true",
        f"max(x) has a slope here, {_slope(case)}. But which score is largest cannot be learnt: {flat}.",
    )


def _slope(case: Case) -> str:
    top = int(np.argmax(case.scores))
    if case.classes <= 4:
        return tuple_of(probabilities_of(case.scores, "hardmax"))
    return f"1 at class {top} and 0 elsewhere"


def _at_a_tie(case: Case) -> str:
    top = int(np.argmax(case.scores))
    step = max(1e-6, 4 * EPS * case.size)
    # Near the largest float64 the moved score is infinite, and still the largest.
    with np.errstate(over="ignore"):
        moved = probabilities_of(case.scores + step * (np.arange(case.classes) == top), "hardmax")
    before = probabilities_of(case.scores, "hardmax")
    jump = f"raising x{top} by {short(step)} moves its one-hot answer from {short(float(before[top]))} to {short(float(moved[top]))}"
    return f"A tie for the largest: max(x) has a kink here, and {jump}."
