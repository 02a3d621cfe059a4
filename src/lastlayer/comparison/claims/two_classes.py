"""Two classes: softmax is the logistic function of the difference."""

from __future__ import annotations

import math

import numpy as np

from lastlayer.comparison.claims.case import Case, Verdict
from lastlayer.functions import log_probabilities
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
    log_p = log_probabilities(case.scores)
    pair = math.exp(-float(np.logaddexp(0.0, log_p[1] - log_p[0])))
    any_two = f"There are {case.classes} classes, but it holds between any two of them"
    return "not tested", f"{any_two}: {left}, and p0 / (p0 + p1) = {short(pair)}."
