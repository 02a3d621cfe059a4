"""What may be done to all scores at once: softmax does not see a constant added, the ratio not one multiplied."""

from __future__ import annotations

import math

import numpy as np

from lastlayer.comparison.claims.case import (
    EPS,
    Case,
    Verdict,
    largest_change,
    probabilities_of,
)
from lastlayer.words.numbers import short, tuple_of


def shift(case: Case) -> Verdict:
    """softmax(x + s) = softmax(x); ratio(x + s) is not ratio(x)."""
    if case.classes == 1:
        return None, "One class: its probability is 1 whatever its score."
    rounding = 8 * EPS * case.size
    if rounding > 1e-3:
        return (
            None,
            f"Not tried: adding a constant to scores of size {short(case.size)} rounds them.",
        )
    # Far enough that the ratio is defined afterwards.
    amount = 1.0 - min(0.0, math.floor(case.scores.min()))
    softmax, ratio = (probabilities_of(case.scores + amount, name) for name in ("softmax", "ratio"))
    slack = 1e-12 + rounding
    keeps = largest_change(softmax, case.softmax) <= slack
    changes = not case.has_ratio or largest_change(ratio, case.ratio) > slack
    before = tuple_of(case.ratio) if case.has_ratio else "undefined"
    return (keeps if changes else None), (
        f"Add {short(amount)}: softmax {_stays(keeps)} {tuple_of(softmax)}, "
        f"the ratio {f'goes from {before} to' if changes else 'stays'} {tuple_of(ratio)}."
    )


def scale(case: Case) -> Verdict:
    """ratio(c·x) = ratio(x); softmax(c·x) is not softmax(x)."""
    if case.all_equal:
        return (
            None,
            "One class: no multiple matters." if case.classes == 1 else "All scores are equal: no multiple matters.",
        )
    c = 2.0 if case.size < 1e300 else 0.5
    softmax, ratio = (probabilities_of(c * case.scores, name) for name in ("softmax", "ratio"))
    changes = not np.array_equal(softmax, case.softmax)
    evidence = f"Multiply by {short(c)}: softmax {_stays(not changes)} {tuple_of(softmax)}"
    if not case.has_ratio:
        return changes or None, f"{evidence}, the ratio stays undefined."
    keeps = largest_change(ratio, case.ratio) <= 1e-12
    return (keeps if changes else None), f"{evidence}, the ratio {_stays(keeps)} {tuple_of(ratio)}."


def _stays(same: bool) -> str:
    return "stays" if same else "goes to"
