"""The claims, in the order in which the usual answer makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lastlayer.comparison.claims.case import Case, Verdict
from lastlayer.comparison.claims.domain import negative_scores, tanh_before, zero_sum
from lastlayer.comparison.claims.invariance import scale, shift
from lastlayer.comparison.claims.learning import cross_entropy_gradient, max_gradient
from lastlayer.comparison.claims.sharpness import sharper
from lastlayer.comparison.claims.two_classes import logistic
from lastlayer.comparison.compare import Comparison
from lastlayer.words.numbers import tuple_of


@dataclass(frozen=True)
class Claim:
    """A sentence, whether it holds for these scores (None: they say nothing about it), and the numbers behind that."""

    claim: str
    holds: bool | None
    evidence: str


CLAIMS: dict[str, Callable[[Case], Verdict]] = {
    "The ratio breaks on negative scores": negative_scores,
    "The ratio breaks when the scores sum to zero": zero_sum,
    "A tanh before the ratio hands it such scores": tanh_before,
    "Softmax is sharper than the ratio": sharper,
    "Adding a constant to every score changes the ratio, not softmax": shift,
    "Multiplying every score changes softmax, not the ratio": scale,
    "Max is not differentiable": max_gradient,
    "Log-softmax is easy, so cross-entropy is: gradient p − y": cross_entropy_gradient,
    "With two classes, softmax is the logistic of the difference": logistic,
}


def judge(comparison: Comparison) -> tuple[Claim, ...]:
    """Every claim, judged on the scores that reach the mappings."""
    question = comparison.question
    if not np.all(np.isfinite(comparison.reached)):
        evidence = f"Not judged: the scores {tuple_of(comparison.reached)} are not all finite."
        return tuple(Claim(claim, None, evidence) for claim in CLAIMS)
    case = Case(question.scores, comparison.reached, question.activation.softcap, question.label)
    # Moved and scaled scores may overflow, and infinite scores have their limits.
    with np.errstate(over="ignore", invalid="ignore"):
        return tuple(Claim(claim, *verdict(case)) for claim, verdict in CLAIMS.items())
