"""The claims, each with its words and its verdict on the scores at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lastlayer.comparison.claims.case import Case, Here, Vector, Verdict
from lastlayer.comparison.claims.derivatives import only_differentiable, ratio_learns
from lastlayer.comparison.claims.domain import negative_scores, tanh_before, zero_sum
from lastlayer.comparison.claims.invariance import only_exp, scale, shift
from lastlayer.comparison.claims.logarithm import gradient, logarithm
from lastlayer.comparison.claims.maximum import max_slope
from lastlayer.comparison.claims.sharpness import sharper, soft_max
from lastlayer.comparison.claims.two_classes import logistic
from lastlayer.comparison.question import Question
from lastlayer.words.claims import CLAIMS, ClaimText, General
from lastlayer.words.numbers import tuple_of


@dataclass(frozen=True)
class Claim:
    """What people say, whether it is so for these scores and in general, and why."""

    name: str
    claim: str
    #: For the scores at hand, and the numbers behind that.
    here: Here
    evidence: str
    #: Whatever the scores, and why: in a few words, and in full.
    in_general: General
    brief: str
    reason: str
    #: Scores that test the claim.
    shown_by: tuple[float, ...]


JUDGES: dict[str, Callable[[Case], Verdict]] = {
    "sharper": sharper,
    "soft_max": soft_max,
    "shift": shift,
    "only_exp": only_exp,
    "scale": scale,
    "negative_scores": negative_scores,
    "zero_sum": zero_sum,
    "tanh": tanh_before,
    "only_differentiable": only_differentiable,
    "ratio_learns": ratio_learns,
    "max_slope": max_slope,
    "logarithm": logarithm,
    "gradient": gradient,
    "two_classes": logistic,
}


def judge(question: Question, reached: Vector) -> tuple[Claim, ...]:
    """Every claim, judged on the scores (K,) that reach the mappings."""
    if not np.all(np.isfinite(reached)):
        why = f"The scores {tuple_of(reached)} are not all finite."
        return tuple(_claim(text, ("not tested", why)) for text in CLAIMS)
    case = Case.of(question, reached)
    # Moved and scaled scores may overflow, and infinite scores have their limits.
    with np.errstate(over="ignore", invalid="ignore"):
        return tuple(_claim(text, JUDGES[text.name](case)) for text in CLAIMS)


def _claim(text: ClaimText, verdict: Verdict) -> Claim:
    here, evidence = verdict
    return Claim(text.name, text.claim, here, evidence, text.in_general, text.brief, text.reason, text.shown_by)
