"""What can be learnt through a mapping: nothing through the flat hardmax, p − y through softmax."""

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
from lastlayer.functions import loss, loss_and_grad
from lastlayer.words.numbers import short, tuple_of


def max_gradient(case: Case) -> Verdict:
    """Hardmax, the argmax as probabilities, jumps at a tie and is flat elsewhere; its loss is minimal at x = 0."""
    if case.classes == 1:
        return None, "One class: there is nothing to choose."
    origin = np.zeros((case.classes, case.classes))
    at_origin = float(np.max(loss(origin, np.arange(case.classes), mapping="hardmax", reduction="none")))
    minimal = f"its loss, max(x) − x[label], is already {short(at_origin)} at x = 0"
    here = probabilities_of(case.scores, "hardmax")
    descending = np.sort(case.scores)[::-1]
    if descending[0] == descending[1]:
        top = int(np.argmax(case.scores))
        step = max(1e-6, 4 * EPS * case.size)
        # Beside the largest float64 the moved score is infinite, and still the largest.
        with np.errstate(over="ignore"):
            moved = probabilities_of(case.scores + step * (np.arange(case.classes) == top), "hardmax")
        return (
            True,
            f"A tie: raising x{top} by {short(step)} moves hardmax from {tuple_of(here)} to {tuple_of(moved)}; "
            f"{minimal}.",
        )
    # A quarter of the gap, at most that of the largest float64: neither the gap nor a moved score may overflow.
    step = min(float(descending[0] / 4 - descending[1] / 4), (np.finfo(float).max - case.size) / 4)
    moves = step * np.vstack([np.eye(case.classes), -np.eye(case.classes)])
    change = largest_change(probabilities_of(case.scores + moves, "hardmax"), here)
    # The gradient of the maximum is hardmax itself.
    return False, (
        f"Without a tie max(x) has a gradient, {tuple_of(here)}. But hardmax is flat: moving a score by ±{short(step)} "
        f"changes it by {short(change)}; and {minimal}."
    )


def cross_entropy_gradient(case: Case) -> Verdict:
    """∂(−log softmax(x)[y])/∂x = p − y, held against central differences of the loss."""
    # Without a true class the least likely one, whose loss is the hardest to compute.
    label = int(np.argmin(case.scores)) if case.label is None else case.label
    rounding = 4 * EPS * (1.0 + case.size)
    if rounding > 1e-7:
        return (
            None,
            f"Not tried: scores of size {short(case.size)} leave no digits for a difference quotient.",
        )
    value, gradient = loss_and_grad(case.scores[None, :], np.array([label]), reduction="sum")
    step = rounding ** (1 / 3)
    moves = step * np.eye(case.classes)
    labels = np.full(case.classes, label)
    up, down = (loss(case.scores + sign * moves, labels, reduction="none") for sign in (1.0, -1.0))
    p_minus_y = case.softmax - (np.arange(case.classes) == label)
    error = largest_change((up - down) / (2 * step), p_minus_y)
    holds = error <= 10 * (rounding / step + step**2) and largest_change(gradient[0], p_minus_y) <= 1e-12
    return holds, (
        f"True class {label}: loss {short(float(value))}{_in_two_steps(case, label)}, p − y = {tuple_of(p_minus_y)}; "
        f"difference quotients agree to {short(max(error, EPS), 1)}."
    )


def _in_two_steps(case: Case, label: int) -> str:
    """What softmax first and a logarithm after it would have given, where that is infinite or not a number."""
    with np.errstate(all="ignore"):
        e = np.exp(case.scores)
        naive = -float(np.log(e / e.sum())[label])
    return "" if math.isfinite(naive) else f" (softmax first and log after it: {short(naive)})"
