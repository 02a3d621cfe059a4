"""The bottom line of a comparison in a few plain sentences."""

from __future__ import annotations

import math

import numpy as np

from lastlayer.comparison.answers import Answers
from lastlayer.comparison.claims import LARGE, Case, steps_to_leave, sums_to_zero, turning_scale
from lastlayer.words.lists import listing
from lastlayer.words.numbers import probability, short


def in_short(answers: Answers) -> str:
    """What softmax and the ratio make of these scores, and what that means."""
    if not np.all(np.isfinite(answers.reached)):
        return "some scores are infinite. Every mapping gives its limit there, if it has one."
    case = Case.of(answers.question, answers.reached)
    if case.classes == 1:
        return "softmax gives a single class probability 1, whatever its score. Give two or more scores."
    # Moved scores may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        if not case.has_ratio:
            return _without_ratio(case)
        return f"{_who_is_more_certain(case)} {_learning(case)}".strip()


def _without_ratio(case: Case) -> str:
    negative = np.flatnonzero(case.scores < 0)
    if negative.size:
        smallest = int(np.argmin(case.scores))
        more = {1: "", 2: ", as is one more"}.get(negative.size, f", as are {negative.size - 1} more")
        zero = ", and the sum is zero" if sums_to_zero(case.scores) else ""
        reason = f"the score of class {smallest} is negative, {short(float(case.scores[smallest]))}{more}{zero}"
    else:
        reason = "the scores sum to zero"
    top = probability(float(case.softmax.max()))
    tied = int(np.sum(case.scores == case.scores.max()))
    takes = f"it gives {_largest(case)} the most, {top}{' each' * (tied > 1)}"
    if case.all_equal:
        takes = f"it gives every class {top}"
    return f"dividing by the sum has no answer here: {reason}. Softmax takes any scores: {takes}."


def _who_is_more_certain(case: Case) -> str:
    softmax, ratio = (probability(float(p.max())) for p in (case.softmax, case.ratio))
    if case.all_equal:
        return f"all scores are equal, so softmax and the ratio agree: {softmax} for each class."
    first = f"both put {_largest(case)} first"
    turn = turning_scale(case.scores)
    if turn is not None and math.isclose(turn, 1.0, rel_tol=1e-9):
        return f"{first}, with {softmax}. Softmax is the more certain one once the scores are any larger."
    by = "by a hair" if softmax == ratio else None
    if turn is not None and turn < 1:
        below = f"Below {short(turn)} times these scores the ratio is."
        return f"{first}. Here softmax is the more certain one, {by or f'{softmax} against {ratio}'}. {below}"
    certain = f"{first}. Here the ratio is the more certain one, {by or f'{ratio} against {softmax}'}."
    if turn is None or math.isinf(turn):
        return f"{certain} Softmax overtakes it at no multiple of these scores."
    return f"{certain} Softmax overtakes it once the scores are {short(turn)} times as large."


def _largest(case: Case) -> str:
    largest = np.flatnonzero(case.scores == case.scores.max()).tolist()
    if len(largest) == 1:
        return f"class {largest[0]}"
    return f"{len(largest)} classes" if len(largest) > 4 else f"classes {listing(map(str, largest))}"


def _learning(case: Case) -> str:
    """What training through the ratio would do, if that takes it out of its domain soon."""
    label = case.true_class
    score = float(case.scores[label])
    if case.size > LARGE or 0 < score < 1 / LARGE:
        return ""
    if score == 0:
        return f"If class {label} is true, the ratio's loss is infinite."
    steps, _ = steps_to_leave(case.scores, label)
    if steps is None:
        return ""
    take = "one gradient step of size 1 takes" if steps == 1 else f"{steps} gradient steps of size 1 take"
    return f"Learning tells them apart: if class {label} is true, {take} the ratio to where it has no answer."
