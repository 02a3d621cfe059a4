"""Where the ratio has no answer: negative scores, a zero sum, and whether a tanh is to blame."""

from __future__ import annotations

import numpy as np

from lastlayer.comparison.claims.case import Case, Verdict, sums_to_zero
from lastlayer.words.numbers import short, tuple_of


def negative_scores(case: Case) -> Verdict:
    """x / Σx of a negative score is no probability."""
    negative = np.flatnonzero(case.scores < 0)
    if not negative.size:
        return (
            None,
            f"No score is negative here: the smallest is {short(case.scores.min())}.",
        )
    first = f"x{negative[0]} = {short(case.scores[negative[0]])}"
    if sums_to_zero(case.scores):
        return True, f"{first}, and the sum is zero as well."
    shares = case.scores / case.size
    shares = shares / np.sum(shares)
    if shares.min() >= 0:
        turned = "" if case.all_equal else ", but in the reverse order"
        return (
            True,
            f"{first}, and the sum is negative too: x / Σx = {tuple_of(shares)} looks like probabilities{turned}.",
        )
    worst = int(np.argmin(shares))
    return (
        True,
        f'{first}; class {worst} would get the "probability" {short(shares[worst])}.',
    )


def zero_sum(case: Case) -> Verdict:
    """0 in the denominator."""
    if not sums_to_zero(case.scores):
        return (
            None,
            f"These scores sum to {short(float(np.sum(case.scores / case.size)) * case.size)}.",
        )
    terms = " ".join(("+ " if x >= 0 else "− ") + short(abs(x)) for x in case.scores[:5]).removeprefix("+ ")
    return True, f"{terms}{' …' * (case.classes > 5)} = 0, and the ratio divides by it."


def tanh_before(case: Case) -> Verdict:
    """tanh keeps every sign: it makes no score negative that was not."""
    cap = 1.0 if case.softcap is None else case.softcap
    # A quotient that overflows has the tanh of infinity, ±1.
    with np.errstate(over="ignore"):
        capped = cap * np.tanh(case.given / cap)
    formula = f"tanh{tuple_of(case.given)}" if cap == 1 else f"{short(cap)}·tanh(x / {short(cap)})"
    done = f"{formula} = {tuple_of(capped)}"
    troubles = ["a negative score"] * bool((capped < 0).any()) + ["a zero sum"] * sums_to_zero(capped)
    if not troubles:
        return (
            False,
            f"{done}: tanh keeps every sign, so it makes no negative score out of these.",
        )
    return (
        True,
        f"{done} has {' and '.join(troubles)}. But tanh keeps every sign: the scores given have it too.",
    )
