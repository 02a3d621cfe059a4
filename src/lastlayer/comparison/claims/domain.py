"""Where the ratio has no answer: negative scores, a zero sum, and whether a tanh is to blame."""

from __future__ import annotations

import numpy as np

from lastlayer.comparison.claims.case import Case, Verdict, sums_to_zero
from lastlayer.words.numbers import short


def negative_scores(case: Case) -> Verdict:
    """x / Σx of a negative score is no probability."""
    negative = np.flatnonzero(case.scores < 0)
    if not negative.size:
        return "not tested", f"No score is negative here: the smallest is {short(float(case.scores.min()))}."
    first = f"x{negative[0]} = {short(float(case.scores[negative[0]]))}"
    if sums_to_zero(case.scores):
        return "yes", f"{first}, and the sum is zero as well."
    shares = case.scores / case.size
    shares = shares / np.sum(shares)
    if shares.min() >= 0:
        turned = "" if case.all_equal else ", but in the reverse order"
        looks = f"x / Σx = {case.shown(shares)} looks like probabilities{turned}"
        return "yes", f"{first}, and the sum is negative too: {looks}."
    worst = int(np.argmin(shares))
    return "yes", f'{first}: class {worst} would get the "probability" {short(float(shares[worst]))}.'


def zero_sum(case: Case) -> Verdict:
    """0 in the denominator."""
    if not sums_to_zero(case.scores):
        total = float(np.sum(case.scores / case.size)) * case.size
        return "not tested", f"These scores sum to {short(total)}."
    terms = " ".join(("+ " if x >= 0 else "− ") + short(abs(float(x))) for x in case.scores[:5]).removeprefix("+ ")
    return "yes", f"{terms}{' …' * (case.classes > 5)} = 0, and the ratio divides by it."


def tanh_before(case: Case) -> Verdict:
    """tanh keeps every sign: it makes no score negative that was not."""
    if case.classes == 1:
        return "not tested", "One class: it gets 1 whatever its score."
    cap = 1.0 if case.softcap is None else case.softcap
    # A quotient that overflows has the tanh of infinity, ±1.
    with np.errstate(over="ignore"):
        capped = cap * np.tanh(case.given / cap)
    smallest = int(np.argmin(case.given))
    formula = f"tanh{case.shown(case.given, smallest)}" if cap == 1 else f"{short(cap)}·tanh(x / {short(cap)})"
    done = f"{formula} = {case.shown(capped, smallest)}"
    if not (capped < 0).any():
        return "no", f"{done}. A tanh keeps every sign, and no score was negative before."
    zero = " Their sum is zero, too." if sums_to_zero(capped) else ""
    return "yes", f"{done}. But a tanh keeps every sign: these were negative before.{zero}"
