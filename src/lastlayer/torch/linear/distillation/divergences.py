"""Divergences of two distributions, from probabilities and their logarithms, as sums of terms that are never negative.

With d = log b − log a,

    KL(a ‖ b) = Σ a·(e^d − 1 − d),        since Σ a (e^d − 1) = Σ b − Σ a = 0,
    JS(p, y) = ½ Σ m·((1 + t) log(1 + t) + (1 − t) log(1 − t)),    m = (p + y)/2,  t = (p − y)/(p + y) = tanh(d/2).

Two nearly equal distributions have tiny terms d²/2; Σ a·(log a − log b) would find them as a difference of large numbers, which
may be negative. A class with a = 0 adds b, which makes up for what Σ a (e^d − 1) lacks.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

Tensor = torch.Tensor

DIVERGENCES = ("forward", "reverse", "js")

#: By dtype: how far, and up to which power of d, the series d²/2! + d³/3! + … is used.
_SERIES = {torch.float64: (0.125, 12), torch.float32: (0.25, 7)}
#: e^80 is finite in float32, and so are the terms made of it.
_FAR = 80.0
_LOG_2 = math.log(2.0)


class Distribution(NamedTuple):
    """Probabilities and their logarithms, float64 or float32, −inf where a probability is zero."""

    p: Tensor
    log: Tensor

    @staticmethod
    def of_logs(log: Tensor) -> Distribution:
        """From the logarithms alone."""
        return Distribution(torch.exp(log), log)


def exponentials(d: Tensor) -> tuple[Tensor, Tensor]:
    """e^d − 1, and e^d − 1 − d ≥ 0, each to a few units in the last digit.

    With c the part of d within ±`reach` and r the rest, the series gives s = e^c − 1 − c, and

        e^d − 1 = x + (c + s),    e^d − 1 − d = s + (x − r),    x = (e^r − 1)·(1 + c + s).

    Where r is 0 the series stands alone; elsewhere s is so large that x − r may round. No branch: `where` costs more than all this.
    """
    reach, degree = _SERIES[d.dtype]
    c = d.clamp(-reach, reach)
    r = d - c
    s = c / math.factorial(degree)
    for n in range(degree - 1, 1, -1):
        s.add_(1.0 / math.factorial(n)).mul_(c)
    s.mul_(c)
    c.add_(s)
    x = torch.expm1(r).mul_(1.0 + c)
    return c.add_(x), x.sub_(r).add_(s)


def are_close(d: Tensor) -> bool:
    """Whether no exponential of d overflows and none is NaN, as far as the host may look."""
    return d.is_cpu and bool(d.numel()) and bool(d.abs().amax() < _FAR)


def close_losses_and_slopes(kind: str, log_p: Tensor, log_y: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """The forward or reverse KL (n,) of rows that `are_close`, and its gradient in the scores of softmax, in few passes.

    d = log p − log y. The gradient is p − y = y·(e^d − 1), or p·(d − Σ p d).
    """
    if kind == "forward":
        y = torch.exp(log_y)
        difference, terms = exponentials(d)
        return terms.mul_(y).sum(1, dtype=torch.float64), difference.mul_(y)
    p = torch.exp(log_p)
    losses = exponentials(-d)[1].mul_(p).sum(1, dtype=torch.float64)
    return losses, _centred(p, d)


def divergence_terms(kind: str, student: Distribution, target: Distribution) -> Tensor:
    """The terms of the divergence: their sum over the classes is its value."""
    if kind == "forward":
        return _kl_terms(target, student)
    if kind == "reverse":
        return _kl_terms(student, target)
    (p, log_p), (y, log_y) = student, target
    both = (p > 0) & (y > 0)
    d = torch.where(both, log_p - log_y, 0.0)
    terms = 0.25 * (p + y) * _twice_js(d)
    # A class that one of the two does not have; NaN stays NaN.
    return torch.where(both, terms, (p + y) * (0.5 * _LOG_2))


def _kl_terms(a: Distribution, b: Distribution) -> Tensor:
    """a·(e^d − 1 − d)."""
    d = b.log - a.log
    is_near = d.abs() < 1.0
    near = a.p * exponentials(torch.where(is_near, d, 0.0))[1]
    # b − a instead of a·(e^d − 1), where e^d may overflow; nothing cancels here.
    return torch.where(a.p == 0, b.p, torch.where(is_near, near, (b.p - a.p) - a.p * d))


def _twice_js(d: Tensor) -> Tensor:
    """(1 + t) log(1 + t) + (1 − t) log(1 − t) with t = tanh(d/2): log(1 − t²) + t·d, and its limit 2 log 2 for large d."""
    t, size = torch.tanh(0.5 * d), d.abs()
    tail = torch.exp(-size)
    far = 2.0 * (_LOG_2 - torch.log1p(tail) - size * tail / (1.0 + tail))
    return torch.where(size < 2.0, torch.log1p(-t * t) + t * d, far).clamp_(min=0.0)


def over_mean(student: Distribution, target: Distribution) -> Tensor:
    """log(p/m), m = (p + y)/2: twice the slope of JS in p. 0 where p is zero."""
    d = torch.where((student.p == 0) | (target.p == 0), 0.0, student.log - target.log)
    near = -torch.log1p(0.5 * torch.expm1(-d.clamp(-1.0, 1.0)))
    far = _LOG_2 - torch.log1p(torch.exp(-d.abs())) + d.clamp(max=0.0)
    found = torch.where(d.abs() < 1.0, near, far)
    found = torch.where(target.p == 0, _LOG_2, found)
    return torch.where(student.p == 0, 0.0, found)


def slope_in_p(kind: str, student: Distribution, target: Distribution) -> Tensor:
    """∂/∂p of the reverse KL and of JS, up to a constant per row; 0 where p is zero."""
    if kind == "js":
        return 0.5 * over_mean(student, target)
    return torch.where(student.p == 0, 0.0, student.log - target.log)


def difference(student: Distribution, target: Distribution) -> Tensor:
    """p − y, as y·(e^d − 1) where the two are close."""
    # Where the target is zero d is infinite, and the second form serves.
    d = torch.where(target.p == 0, float("inf"), student.log - target.log)
    return torch.where(d.abs() < 1.0, target.p * torch.expm1(d.clamp(-1.0, 1.0)), student.p - target.p)


def softmax_slopes(kind: str, student: Distribution, target: Distribution, mean: Tensor | None) -> Tensor:
    """The gradient in the scores of softmax: p − y, or p·(c − Σ p c) with the slope c in p. `mean` is that sum, (…, 1)."""
    if kind == "forward":
        return difference(student, target)
    c = slope_in_p(kind, student, target)
    slopes = _centred(student.p, c) if mean is None else _product(student.p, c, mean)
    return torch.where(student.p == 0, 0.0, slopes)


def _centred(p: Tensor, c: Tensor) -> Tensor:
    """p·(c − Σ p c), with c relative to that of the likeliest class, whose slope would be lost in the rounding of c − Σ p c."""
    at_largest = c.gather(-1, p.argmax(-1, keepdim=True))
    c = c - torch.where(at_largest.isinf(), 0.0, at_largest)
    return _product(p, c, (p * c).sum(-1, keepdim=True))


def _product(p: Tensor, c: Tensor, mean: Tensor) -> Tensor:
    """p·(c − mean); 0 where the mean is infinite: then so is the reverse KL, and its gradient has no limit."""
    return torch.where(mean == float("inf"), 0.0, p * (c - mean))
