"""What the logarithm makes of softmax: log Σ e^x − x, with the gradient p − y."""

from __future__ import annotations

import math

import numpy as np

from lastlayer.comparison.claims.case import EPS, Case, Verdict, largest_change
from lastlayer.functions import logsumexp, loss, loss_and_grad
from lastlayer.words.numbers import short


def logarithm(case: Case) -> Verdict:
    """−log softmax(x)[y] = log Σ e^x − x[y]."""
    if case.classes == 1:
        return "not tested", "One class: its loss is 0 whatever its score."
    label = case.true_class
    value = float(loss(case.scores[None, :], np.array([label]), reduction="sum"))
    log_sum, score = float(logsumexp(case.scores)), float(case.scores[label])
    # Infinite where the difference of two scores overflows.
    error = abs(log_sum - score - value) if math.isfinite(value) else 0.0
    exponentials = " + ".join(f"e^{short(float(x))}" for x in case.scores) if case.classes <= 3 else "Σ e^x"
    difference = f"{_decimal(log_sum)} {'−' if score >= 0 else '+'} {_decimal(abs(score))}"
    evidence = f"If class {label} is true, loss = log({exponentials}) − x{label} = {difference} = {_decimal(value)}"
    if case.classes == 2:
        gap = float(case.scores[1 - label]) - score
        evidence += f" = log(1 + e^(x{1 - label} − x{label})) = log(1 + e^{short(gap)})"
    return "yes" if error <= 8 * EPS * (1.0 + case.size) else "no", f"{evidence}.{_in_two_steps(case, label)}"


def gradient(case: Case) -> Verdict:
    """∂(−log softmax(x)[y])/∂x = p − y, held against central differences of the loss."""
    if case.classes == 1:
        return "not tested", "One class: its loss is 0 whatever its score, and so is the gradient."
    rounding = 4 * EPS * (1.0 + case.size)
    if rounding > 1e-7:
        return "not tested", f"Scores of size {short(case.size)} leave no digits for a difference quotient."
    label = case.true_class
    _, exact = loss_and_grad(case.scores[None, :], np.array([label]), reduction="sum")
    y = (np.arange(case.classes) == label).astype(np.float64)
    p_minus_y = case.softmax - y
    # Minus the sum of the others keeps its digits where p is about 1.
    p_minus_y[label] = -math.fsum(np.delete(case.softmax, label))
    holds = largest_change(exact[0], p_minus_y) <= 1e-12
    which = f"({', '.join(short(v) for v in y)})" if case.classes <= 4 else f"1 at class {label}"
    evidence = f"If class {label} is true, p − y = {case.shown(case.softmax, label)} − {which} = {case.shown(p_minus_y, label)}"
    if case.classes > 1000:
        return "yes" if holds else "no", f"{evidence}."
    step = rounding ** (1 / 3)
    error = largest_change(_quotients(case, label, step), p_minus_y)
    holds &= error <= 10 * (rounding / step + step**2)
    return (
        "yes" if holds else "no",
        f"{evidence}. Difference quotients of the loss agree to {short(max(error, EPS), 1)}.",
    )


def _quotients(case: Case, label: int, step: float) -> np.ndarray:
    moves = step * np.eye(case.classes)
    labels = np.full(case.classes, label)
    up, down = (loss(case.scores + sign * moves, labels, reduction="none") for sign in (1.0, -1.0))
    quotients: np.ndarray = (up - down) / (2 * step)
    return quotients


def _in_two_steps(case: Case, label: int) -> str:
    """What softmax first and a logarithm after it would have given, where that is infinite or not a number."""
    with np.errstate(all="ignore"):
        e = np.exp(case.scores)
        naive = -float(np.log(e / e.sum())[label])
    if math.isfinite(naive):
        return ""
    return f" Softmax first and a logarithm after it would give {'no number' if math.isnan(naive) else short(naive)}."


def _decimal(value: float) -> str:
    """Four digits after the point without trailing zeros, so that a sum adds up: 1.4741, 0.5; `short` for very large or small."""
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return short(value)
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
