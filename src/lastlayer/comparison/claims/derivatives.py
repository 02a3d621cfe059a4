"""The ratio has a derivative, too, and what becomes of the ratio that learns with it."""

from __future__ import annotations

import math
import sys

import numpy as np

from lastlayer.comparison.claims.case import Case, Vector, Verdict, largest_change, probabilities_of
from lastlayer.words.numbers import short

#: Beyond this size products and quotients of scores may overflow.
LARGE = 1e100
STEPS = 10


def only_differentiable(case: Case) -> Verdict:
    """∂pᵢ/∂xⱼ = (δᵢⱼ − pᵢ) / S for the ratio, held against central differences."""
    if case.classes == 1:
        return "not tested", "One class: it gets 1 whatever its score."
    smallest = float(case.scores.min())
    if smallest <= 0:
        return (
            "not tested",
            f"The ratio has no derivative at a score of {short(smallest)}, the edge of its domain or beyond.",
        )
    if case.size > LARGE or smallest < 1 / LARGE:
        return "not tested", "Such huge or tiny scores leave no digits for a derivative."
    top, total = int(np.argmax(case.scores)), float(np.sum(case.scores))
    # 1 − p as the sum of the others, which keeps its digits where p is nearly 1.
    ratio_rest, softmax_rest = (float(np.sum(np.delete(p, top))) for p in (case.ratio, case.softmax))
    slope = ratio_rest / total
    rule = f"∂p{top}/∂x{top} = (1 − p{top}) / S = {short(slope)} for the ratio"
    softmax = float(case.softmax[top]) * softmax_rest
    both = f"{rule}, and p{top}·(1 − p{top}) = {short(softmax)} for softmax"
    error = _error_of_the_quotient_rule(case)
    if error is None:
        return "no", f"{both}."
    return (
        "no" if error < 1e-6 else "yes",
        f"{both}. Difference quotients agree with the quotient rule to {short(error, 1)}.",
    )


def _error_of_the_quotient_rule(case: Case) -> float | None:
    """The largest |difference quotient − rule|·S; None where some score is too small next to another, or there are too many."""
    x = case.scores
    if x.min() < 1e-3 * case.size or case.classes > 100:
        return None
    total = float(np.sum(x))
    # The cube root of the rounding error balances it against the error of the central difference.
    step = 6e-6 * x
    moves = np.diag(step)
    up, down = (probabilities_of(x + sign * moves, "ratio") for sign in (1.0, -1.0))
    quotients = (up - down) * (total / (2.0 * step))[:, None]
    return largest_change(quotients, np.eye(case.classes) - case.ratio)


def ratio_learns(case: Case) -> Verdict:
    """Gradient descent of step size 1 on the ratio's log loss, whose slope is 1/S − yᵢ/xᵢ."""
    if case.classes == 1:
        return "not tested", "One class: there is nothing to learn."
    if case.size > LARGE:
        return "not tested", f"Steps of size 1 do not move scores of size {short(case.size)}."
    label = case.true_class
    if not case.has_ratio:
        return (
            "no",
            f"The ratio has no answer at {case.shown(case.scores, int(np.argmin(case.scores)))}, so it has no slope to follow.",
        )
    if case.scores[label] == 0:
        return (
            "no",
            f"If class {label} is true, its score is 0, its loss is infinite and so is the slope 1/S − 1/x{label}.",
        )
    total, score = float(np.sum(case.scores)), float(case.scores[label])
    if not (_has_inverse(total) and _has_inverse(score)):
        return "no", f"If class {label} is true, its score is {short(score)} and the slope 1/S − 1/x{label} overflows."
    steps, x = steps_to_leave(case.scores, label)
    slope = 1.0 / total - 1.0 / score
    # p − 1 as minus the sum of the others, which keeps its digits where p is about 1.
    softmax = -math.fsum(np.delete(case.softmax, label))
    slopes = f"If class {label} is true, the slope at its score is {short(slope)} for the ratio, {short(softmax)} for softmax."
    if steps is None:
        return "not tested", f"{slopes} In {STEPS} gradient steps of size 1 the scores stay inside the ratio's domain."
    count = "One gradient step" if steps == 1 else f"{steps} gradient steps"
    takes = "takes" if steps == 1 else "take"
    if not np.isfinite(x).all() or x.min() >= 0:
        return (
            "no",
            f"{slopes} {count} of size 1 {takes} the ratio to {case.shown(x, int(np.argmin(x)), label)}, where its slope is infinite.",
        )
    return (
        "no",
        f"{slopes} {count} of size 1 {takes} the ratio to {case.shown(x, int(np.argmin(x)), label)}: a negative score, where it has no answer.",
    )


def steps_to_leave(scores: Vector, label: int) -> tuple[int | None, Vector]:
    """After how many gradient steps of size 1 the ratio has no answer or no slope, None if it has after 10, and the scores then.

    >>> steps_to_leave(np.array([1.0, 0.5]), 1)
    (2, array([-0.12820513,  1.91724942]))
    """
    x = scores.astype(np.float64)
    for step in range(1, STEPS + 1):
        pull = 1.0 / float(x[label])
        x = x - 1.0 / float(np.sum(x))
        x[label] += pull
        total = float(np.sum(x))
        if x.min() < 0 or not math.isfinite(total) or not _has_inverse(total) or not _has_inverse(float(x[label])):
            return step, x
    return None, x


def _has_inverse(value: float) -> bool:
    return value >= 1 / sys.float_info.max
