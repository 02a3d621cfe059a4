"""Tsallis regularization, Ω(p) = Σ(p^α − p)/(α(α − 1)): one threshold per row, found to the last bit.

At the optimum p = exp_α(x − max + t) with exp_α(u) = [1 + (α − 1)u]₊^(1/(α − 1)) and one t ≤ 0 per row
(Peters, Niculae & Martins 2019, section 3). In this form α → 1 gives softmax, and special cases serve only speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lastlayer.mappings.double_double import Pair, add, compensated_sum, extended_sum, multiply, plain_sum, two_sum
from lastlayer.mappings.record import Array, Namespace
from lastlayer.mappings.regularized import RegularizedPoint, positive_or_one, shift


class TsallisPoint(RegularizedPoint):
    """α-entmax at given scores, for one α > 1 or one per row of shape (..., 1).

    `threshold` finds a first t from x − max; Newton steps with compensated sums refine it to the last bit. The equation
    Σ exp_α(x − max + t) = 1 is well conditioned in t, so the remaining error is the rounding of each p.
    """

    #: Newton steps after the first threshold; the second step changes only the last bits.
    POLISH = 2

    def __init__(self, scores: Array, alpha: Any, threshold: Callable[..., Array], xp: Namespace):
        self.xp, self.alpha = xp, alpha
        self.shifted = shift(scores, xp)
        below = -1.0 / (alpha - 1.0)
        hi, lo = self.shifted.difference
        # Scores this far below the largest have p = 0. Clip them, so that no −inf enters the sums.
        in_reach = hi > below
        floor = xp.zeros_like(hi) + below
        self._near = Pair(xp.where(in_reach | xp.isnan(hi), hi, floor), xp.where(in_reach, lo, xp.zeros_like(lo)))
        first = threshold(self._near.hi, xp)
        t = Pair(first, xp.zeros_like(first))
        base, p = self._exponential(t)
        excess, step = self._newton(base, p)
        for _ in range(self.POLISH):
            trial = add(t, Pair(step, xp.zeros_like(step)))
            trial_base, trial_p = self._exponential(trial)
            trial_excess, trial_step = self._newton(trial_base, trial_p)
            # For α > 2 a class enters the support with a vertical tangent, where a Newton step may overshoot.
            better = (xp.abs(trial_excess) < xp.abs(excess)) & (trial_excess > -0.5)
            t, base, p = (self._choose(better, new, old) for new, old in ((trial, t), (trial_base, base), (trial_p, p)))
            excess = xp.where(better, trial_excess, excess)
            step = xp.where(better, trial_step, xp.zeros_like(step))
        self._t = t
        #: p^(α−1) on the support, zero off it.
        self._base = xp.where(base.hi > 0, base.hi + base.lo, xp.zeros_like(base.hi))
        self._p = self._correct_sum(p.value(), excess)

    def _correct_sum(self, p: Array, excess: Array) -> Array:
        """For α > 2, correct p so that it sums to one: p has vertical tangents, so a rounded t may not give that sum."""
        xp = self.xp
        if isinstance(self.alpha, float) and self.alpha <= 2.0:
            return p
        for _ in range(self.POLISH):
            slopes = xp.where(p > 0, p / positive_or_one(self._base, xp), p * 0.0)
            p = p - excess * slopes / xp.sum(slopes, axis=-1, keepdims=True)
            p = xp.where(p < 0, xp.zeros_like(p), p)
            excess = plain_sum(p, xp)[..., None] - 1.0
        return p

    def _newton(self, base: Pair, p: Pair) -> tuple[Array, Array]:
        """Σp − 1, and Newton's step for t: d(Σp)/dt = Σ p^(2−α) = Σ p / base."""
        xp = self.xp
        total = compensated_sum(p, xp)
        excess = ((total.hi - 1.0) + total.lo)[..., None]
        slopes = xp.where(p.hi > 0, p.value() / positive_or_one(base.hi, xp), xp.zeros_like(p.hi))
        return excess, -excess / xp.sum(slopes, axis=-1, keepdims=True)

    def _choose(self, condition: Array, new: Pair, old: Pair) -> Pair:
        return Pair(*(self.xp.where(condition, a, b) for a, b in zip(new, old, strict=True)))

    def _exponential(self, t: Pair) -> tuple[Pair, Pair]:
        """(1 + (α − 1)u)₊ and exp_α(u) at u = x − max + t, each in double-double."""
        xp, rate = self.xp, self.alpha - 1.0
        scaled = multiply(add(self._near, t), Pair(rate + 0.0 * t.hi, 0.0 * t.hi))
        base = two_sum(1.0 + 0.0 * scaled.hi, scaled.hi)
        base = Pair(base.hi, base.lo + scaled.lo)
        inside = base.hi > 0
        zero = xp.zeros_like(base.hi)
        if _is_number(self.alpha, 2.0):
            power = base
        elif _is_number(self.alpha, 1.5):
            power = multiply(base, base)
        else:
            # log(1 + w): log1p(w) while w is small (α near 1), else log of the exact 1 + w (near the edge of the support).
            small = scaled.hi > -0.5
            safe = xp.where(small, scaled.hi, zero)
            near = xp.log1p(safe) + scaled.lo / (1.0 + safe)
            far = xp.log(positive_or_one(base.hi, xp)) + base.lo / positive_or_one(base.hi, xp)
            exponent = xp.where(small, near, far) / rate
            # A p near 1 is stored as 1 + expm1(…): the threshold depends on the small difference from 1.
            leads = exponent > -0.5
            power = Pair(xp.where(leads, zero + 1.0, xp.exp(exponent)), xp.where(leads, xp.expm1(exponent), zero))
        nan = base.hi * 0.0
        return (
            Pair(xp.where(inside, base.hi, nan), xp.where(inside, base.lo, zero)),
            Pair(xp.where(inside, power.hi, nan), xp.where(inside, power.lo, zero)),
        )

    def tangent(self) -> Array:
        xp = self.xp
        return xp.where(self._p > 0, self._p / positive_or_one(self._base, xp), self._p * 0.0)

    def log_slope(self) -> Array:
        xp = self.xp
        return xp.where(self._p > 0, 1.0 / positive_or_one(self._base, xp), self._p * 0.0)

    def _exponent(self) -> Array:
        """u = x − max + t, rounded once; −inf stays −inf."""
        xp, (hi, lo) = self.xp, self.shifted.difference
        total = two_sum(hi, self._t.hi)
        return xp.where(xp.isfinite(hi), total.hi + (total.lo + lo + self._t.lo), hi)

    def log_partition(self) -> Array:
        """Ω*(x) = max + Σ p (x − max − u/α): Ω(p) = Σ p u / α, because p^(α−1) = 1 + (α − 1)u."""
        xp = self.xp
        u = self._exponent()
        terms = xp.where(self._p > 0, self._p * (self.shifted.difference.hi - u / self.alpha), self._p * 0.0)
        return self.shifted.largest[..., 0] + plain_sum(terms, xp)

    def losses(self, targets: Array) -> Array:
        """D_Ω(y, p) + Σ yᵢ max(0, slackᵢ): the Bregman divergence, plus how far below the support the targets are."""
        xp, alpha, y = self.xp, self.alpha, targets
        zero = self._p * 0.0
        u = self._exponent()
        edge = -1.0 / (alpha - 1.0) + zero
        slack = xp.where((y != 0) & (u < edge), y * (edge - u), zero)
        gap = self.loss_gradient(y)
        if _is_number(alpha, 2.0):
            divergence = gap * gap / 2.0
        elif _is_number(alpha, 1.5):
            # (√y − √p)² (√y + √p/2) / (α(α − 1)). √y − √p comes from y − p, since subtracting the roots would cancel.
            root_y, root_p = xp.sqrt(y), self._base
            difference = gap / positive_or_one(root_y + root_p, xp)
            divergence = difference * difference * (root_y + root_p / 2.0) / 0.75
        else:
            rate = alpha - 1.0
            log_y = xp.where(y > 0, xp.expm1(rate * xp.log(positive_or_one(y, xp))) / rate, zero)
            divergence = (y * (log_y - xp.where(u < edge, edge, u)) + self._base * gap) / alpha
            divergence = xp.where(divergence > 0, divergence, divergence * 0.0)
        return extended_sum(divergence + slack, xp)


def exp_alpha(u: Array, rate: Any, xp: Namespace) -> tuple[Array, Array]:
    """exp_α(u) and (1 + (α − 1)u)₊ for rate = α − 1."""
    base = 1.0 + rate * u
    inside = base > 0
    small = rate * u > -0.5
    safe = xp.where(small, rate * u, xp.zeros_like(u))
    logarithm = xp.where(small, xp.log1p(safe), xp.log(positive_or_one(base, xp)))
    zero = u * 0.0
    return xp.where(inside, xp.exp(logarithm / rate), zero), xp.where(inside, base, zero)


def bracketed_threshold(alpha: Any, trips: int, halving: bool) -> Callable[[Array, Namespace], Array]:
    """Find the root t of ln_α Σ exp_α(d + t) = 0 by Newton steps inside a bracket, with bisection if a step would leave it.

    In this form the equation is convex in t for α ≤ 2 (the p-norm of a positive part), and linear at α = 1, so that Newton
    from t = 0 converges fast and from one side. For α > 2 it has vertical tangents where a class enters the support; with
    `halving` every second iteration is a bisection step.
    """
    rate = alpha - 1.0

    def threshold(difference: Array, xp: Namespace) -> Array:
        zero = difference[..., :1] * 0.0
        # ln_α(1/K), since p of the largest class is at least 1/K. By expm1: K^(1 − α) − 1 cancels as α → 1.
        low = xp.expm1(-(rate + zero) * math.log(difference.shape[-1])) / rate
        high, t = zero, zero
        for trip in range(trips):
            p, base = exp_alpha(difference + t, rate, xp)
            total = xp.sum(p, axis=-1, keepdims=True)
            slope = xp.sum(xp.where(p > 0, p / positive_or_one(base, xp), p * 0.0), axis=-1, keepdims=True)
            above = total >= 1.0
            high = xp.where(above, t, high)
            low = xp.where(above, low, t)
            log_total = xp.expm1(rate * xp.log(positive_or_one(total, xp))) / rate
            newton = t - log_total * positive_or_one(total, xp) ** (2.0 - alpha) / positive_or_one(slope, xp)
            # ≥ and ≤, not > and <: at the root the Newton step is zero, and t must not jump to the middle.
            keeps = (newton >= low) & (newton <= high)
            middle = (low + high) / 2.0
            t = middle if halving and trip % 2 else xp.where(keeps, newton, middle)
        # Return the upper end of the last bracket, where the row sums to at least one: at the lower end it may sum to zero.
        return high if halving else t

    return threshold


def _is_number(alpha: Any, value: float) -> bool:
    return isinstance(alpha, (int, float)) and alpha == value


def alpha_slope(p: Array, alpha: Any, xp: Namespace) -> Array:
    """∂log p/∂α at a fixed threshold, on the support: (u/b − log p)/(α − 1) with b = p^(α−1) = 1 + (α − 1)u.

    It is computed as −(log p)² φ(z) with z = (α − 1) log p and φ(z) = (z − 1 + e^(−z))/z². At α = 1 that is −(log p)²/2, while
    the quotient above is 0/0 (Correia, Niculae & Martins 2019, proposition 1).
    """
    log_p = xp.log(positive_or_one(p, xp))
    z = (alpha - 1.0) * log_p
    near, far = _cases(z, xp)
    series = _power_series(-near, [1.0 / math.factorial(k + 2) for k in range(TERMS)])
    phi = xp.where(xp.abs(z) < 1.0, series, (far - 1.0 + xp.exp(-far)) / (far * far))
    return xp.where(p > 0, -log_p * log_p * phi, p * 0.0)


def regularizer_slope(y: Array, alpha: Any, xp: Namespace) -> Array:
    """∂Ω(y)/∂α, from Ω(y) = Σ y log(y) E(z)/α with z = (α − 1) log y and E(z) = (e^z − 1)/z, which is 1 at α = 1."""
    log_y = xp.log(positive_or_one(y, xp))
    z = (alpha - 1.0) * log_y
    near, far = _cases(z, xp)
    is_near = xp.abs(z) < 1.0
    series = _power_series(near, [1.0 / math.factorial(k + 1) for k in range(TERMS)])
    ratio = xp.where(is_near, series, xp.expm1(far) / far)
    series = _power_series(near, [(k + 1.0) / math.factorial(k + 2) for k in range(TERMS)])
    slope = xp.where(is_near, series, (xp.exp(far) * (far - 1.0) + 1.0) / (far * far))
    terms = xp.where(y > 0, y * log_y * (log_y * slope - ratio / alpha) / alpha, y * 0.0)
    return xp.sum(terms, axis=-1)


#: Number of terms of the power series, for |z| < 1 and coefficients that decrease like 1/k!.
TERMS = 20


def _cases(z: Array, xp: Namespace) -> tuple[Array, Array]:
    """(z for the power series, z for the closed form); each holds a harmless number where the other one is used."""
    is_near = xp.abs(z) < 1.0
    return xp.where(is_near, z, xp.zeros_like(z)), xp.where(is_near, xp.zeros_like(z) - 2.0, z)


def _power_series(z: Array, coefficients: list[float]) -> Array:
    total = z * 0.0
    for coefficient in reversed(coefficients):
        total = total * z + coefficient
    return total
