"""What may be done to all scores at once: softmax ignores a constant added, the ratio a constant factor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lastlayer.comparison.claims.case import EPS, Case, Here, Vector, Verdict, largest_change, probabilities_of
from lastlayer.words.numbers import short


def shift(case: Case) -> Verdict:
    """softmax(x + s) = softmax(x); ratio(x + s) is not ratio(x)."""
    if (why := untested_shift(case)) is not None:
        return "not tested", why
    amount, slack = shift_amount(case), shift_slack(case)
    softmax, ratio = (probabilities_of(case.scores + amount, name) for name in ("softmax", "ratio"))
    keeps = largest_change(softmax, case.softmax) <= slack
    changes = not case.has_ratio or largest_change(ratio, case.ratio) > slack
    before = case.shown(case.ratio) if case.has_ratio else "undefined"
    moves = f"goes from {before} to" if changes else "stays"
    here: Here = "no" if not keeps else "yes" if changes else "not tested"
    return (
        here,
        f"Add {short(amount)}: softmax {_stays(keeps)} {case.shown(softmax)}, the ratio {moves} {case.shown(ratio)}.",
    )


def scale(case: Case) -> Verdict:
    """ratio(c·x) = ratio(x); softmax(c·x) is not softmax(x)."""
    if case.all_equal:
        return "not tested", case.nothing_ahead
    if not case.has_ratio:
        return "not tested", "The ratio has no answer here, whatever the scores are multiplied by."
    c = 2.0 if case.size < 1e300 else 0.5
    softmax, ratio = (probabilities_of(c * case.scores, name) for name in ("softmax", "ratio"))
    multiply = f"Multiply by {short(c)}: softmax"
    if largest_change(softmax, case.softmax) <= 5e-5:
        return "not tested", f"{multiply} changes too little to be seen, from {case.shown(case.softmax)}."
    keeps = largest_change(ratio, case.ratio) <= 1e-12
    evidence = f"{multiply} goes to {case.shown(softmax)}, the ratio {_stays(keeps)} {case.shown(ratio)}."
    return "yes" if keeps else "no", evidence


def only_exp(case: Case) -> Verdict:
    """An added constant changes the shares g(x) / Σ g(x) of four functions g, and not those of the exponential."""
    if (why := untested_shift(case)) is not None:
        return "not tested", why
    amount, slack = shift_amount(case), shift_slack(case)
    top = int(np.argmax(case.scores))
    moved, unmoved = [], []
    for name, g in OTHER_G.items():
        before, after = (_share(g(x)) for x in (case.scores, case.scores + amount))
        if before is None or after is None or largest_change(before, after) > slack:
            moved.append(f"{name} {_at(before, top)} → {_at(after, top)}")
        else:
            unmoved.append(name)
    softmax = probabilities_of(case.scores + amount, "softmax")
    if largest_change(softmax, case.softmax) > slack or unmoved:
        return (
            "not tested",
            f"Add {short(amount)}: too little changes here with {', '.join(unmoved) or 'the exponential'}.",
        )
    shares = f"Add {short(amount)}, and the share of class {top} changes: {', '.join(moved)}"
    return "yes", f"{shares}. Only e^x stays at {short(float(softmax[top]))}."


#: The other ways to make scores positive that people propose.
OTHER_G: dict[str, Callable[[Vector], Vector]] = {
    "|x|": np.abs,
    "x²": np.square,
    "max(0, x)": lambda x: np.maximum(x, 0.0),
    "softplus": lambda x: np.logaddexp(0.0, x),
}


def untested_shift(case: Case) -> str | None:
    """Why adding a constant would say nothing about these scores; None where it does."""
    if case.all_equal:
        return case.nothing_ahead
    if 8 * EPS * case.size > 1e-3:
        return f"Adding a constant to scores of size {short(case.size)} would round them."
    return None


def shift_amount(case: Case) -> float:
    """A whole number, far enough that every score is at least 1 afterwards."""
    return 1.0 - min(0.0, float(math.floor(case.scores.min())))


def shift_slack(case: Case) -> float:
    """By how much rounding alone may change a probability when a constant is added to the scores."""
    return 1e-12 + 8 * EPS * case.size


def _share(values: Vector) -> Vector | None:
    total = float(np.sum(values))
    return values / total if total > 0 else None


def _at(share: Vector | None, top: int) -> str:
    return "undefined" if share is None else short(float(share[top]))


def _stays(same: bool) -> str:
    return "stays" if same else "goes to"
