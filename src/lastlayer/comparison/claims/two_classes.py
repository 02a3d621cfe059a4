"""Two classes: softmax is the logistic function of the difference."""

from __future__ import annotations

import math

from lastlayer.comparison.claims.case import Case, Verdict, probabilities_of
from lastlayer.words.numbers import short


def logistic(case: Case) -> Verdict:
    """softmax(x)₀ = σ(x₀ − x₁) = 1 / (1 + exp(x₁ − x₀)); among more classes it holds for every pair."""
    if case.classes == 1:
        return "not tested", "One class: there is no difference to take."
    difference = float(case.scores[0]) - float(case.scores[1])
    # Never exp of a positive number, which overflows.
    sigma = math.exp(min(difference, 0.0)) / (1.0 + math.exp(-abs(difference)))
    left = f"σ(x0 − x1) = σ({short(difference)}) = {short(sigma)}"
    if case.classes == 2:
        p = float(case.softmax[0])
        same = math.isclose(sigma, p, rel_tol=1e-9, abs_tol=1e-300)
        return "yes" if same else "no", f"{left}, and softmax gives class 0 {short(p)}."
    # Computed from these two scores alone: next to much larger ones p0 and p1 would lose their digits.
    pair = float(probabilities_of(case.scores[:2], "softmax")[0])
    any_two = f"There are {case.classes} classes, but it holds between any two of them"
    return "not tested", f"{any_two}: {left}, and p0 / (p0 + p1) = {short(pair)}."
