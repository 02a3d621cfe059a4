"""The normalized family: p = g(x) / Σ g(x) for an elementwise g ≥ 0, evaluated to within a few ULP.

A mapping gives its g as `mantissa · e^exponent`, up to one factor per row; everything else is computed here. Computing
log g instead would cost the ratio 500 ULP, and computing g itself would underflow for softplus.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Any

from lastlayer.mappings.carried import Carried, at_infinity, with_limits_of_slope
from lastlayer.mappings.double_double import (
    LN2_HI,
    LN2_LO,
    Pair,
    add,
    compensated_sum,
    divide,
    extended_sum,
    plain_sum,
    power_of_two,
    two_product,
    two_sum,
)
from lastlayer.mappings.record import Array, Namespace, ProbabilityMapping, device_of


class NormalizedPoint:
    """A normalized mapping at given scores.

    The largest term is kept apart from the sum of the others. For a confident class, 1 − p and log p depend only on the
    others, which would be rounded away in 1 + others.
    """

    def __init__(
        self,
        scores: Array,
        carry: Callable[..., Carried],
        limits: tuple[float, float],
        spare: bool,
        xp: Namespace,
        limits_of_slope: tuple[float, float] = (0.0, 0.0),
    ):
        self.xp = xp
        self.scores = scores
        infinite = xp.isinf(scores)
        carried = carry(xp.where(infinite, xp.zeros_like(scores), scores), xp)
        carried = with_limits_of_slope(carried, scores, infinite, limits_of_slope, xp)
        self.carried, self._dominated = at_infinity(carried, scores, infinite, limits, xp)
        self._set_terms(spare)

    def _set_terms(self, spare: bool) -> None:
        xp, carried = self.xp, self.carried
        zero = xp.zeros_like(self.scores)
        if carried.exponent is None:
            assert carried.mantissa is not None
            self.largest, self.shifted, shift_error, power = zero[..., :1], zero, zero, zero + 1.0
            terms = carried.mantissa
        else:
            largest = xp.max(carried.exponent, axis=-1, keepdims=True)
            # The extra 1 in the denominator is e^0: its score 0 takes part in the maximum.
            self.largest = xp.maximum(largest, xp.zeros_like(largest)) if spare else largest
            # x − max is rounded. Its absolute error would become a relative error of e^(x − max), so it is kept.
            self.shifted, shift_error = two_sum(carried.exponent, -self.largest)
            shift_error = xp.where(xp.isfinite(self.shifted), shift_error, zero)
            power = xp.exp(self.shifted)
            terms = Pair(power, power * shift_error)
            if carried.mantissa is not None:
                product = two_product(carried.mantissa.hi, power)
                terms = Pair(product.hi, product.lo + carried.mantissa.lo * power + product.hi * shift_error)
        self.shift_error, self.power, self.terms = shift_error, power, terms

        classes = xp.arange(self.scores.shape[-1], device=device_of(self.scores))
        self.is_max = classes == xp.argmax(terms.hi, axis=-1)[..., None]
        max_term = Pair(xp.max(terms.hi, axis=-1), xp.sum(xp.where(self.is_max, terms.lo, zero), axis=-1))
        if spare:
            # If a score is +inf, nothing is left for the spare outcome.
            spare_term = xp.exp(-self.largest[..., 0])
            spare_term = xp.where(self._dominated[..., 0], xp.zeros_like(spare_term), spare_term)
            spare_leads = spare_term >= 1.0
            self.is_max = self.is_max & ~spare_leads[..., None]
            none = xp.zeros_like(spare_term)
            max_term = Pair(xp.where(spare_leads, none + 1.0, max_term.hi), xp.where(spare_leads, none, max_term.lo))
        others = compensated_sum(Pair(*(xp.where(self.is_max, zero, part) for part in terms)), xp)
        if spare:
            others = add(others, Pair(xp.where(spare_leads, none, spare_term), none))
            if self.scores.shape[-1]:
                # If the spare term is the largest, it must not hide a NaN score.
                max_term = Pair(
                    xp.where(xp.isnan(self.largest[..., 0]), self.largest[..., 0], max_term.hi), max_term.lo
                )
        self.max_term, self.others, self.total = max_term, others, add(max_term, others)
        self.row_total = Pair(self.total.hi[..., None], self.total.lo[..., None])

    @cached_property
    def _log_total_over_max(self) -> Pair:
        """log(Σ / max_term) = log1p(others / max_term), since 1 + others would round small others away."""
        ratio = divide(self.others, self.max_term)
        return Pair(self.xp.log1p(ratio.hi), ratio.lo / (1.0 + ratio.hi))

    def _log_total(self) -> Pair:
        """log Σ, unscaled, from a mantissa near one and an integer power of two, so that nothing cancels."""
        xp = self.xp
        scale, k = power_of_two(self.total.hi, xp)
        is_high = self.total.hi * scale > math.sqrt(2.0)
        scale, k = xp.where(is_high, 0.5 * scale, scale), xp.where(is_high, k - 1.0, k)
        hi, lo = self.total.hi * scale, self.total.lo * scale
        if self.carried.log2_scale is not None:
            k = k + self.carried.log2_scale[..., 0]
        rest = two_sum(hi - 1.0, lo)
        log_mantissa = xp.log1p(rest.hi)
        # An infinite or NaN logarithm has no rounding error to correct.
        part = two_sum(-k * LN2_HI, log_mantissa)
        low = part.lo + rest.lo / (1.0 + rest.hi) - k * LN2_LO
        return Pair(part.hi, xp.where(xp.isfinite(log_mantissa), low, xp.zeros_like(low)))

    @cached_property
    def _probabilities(self) -> Array:
        return divide(self.terms, self.row_total).value()

    def probabilities(self) -> Array:
        return self._probabilities

    def log_probabilities(self) -> Array:
        xp, carried = self.xp, self.carried
        log_ratio = Pair(*(part[..., None] for part in self._log_total_over_max))
        if carried.mantissa is None:
            total = two_sum(self.shifted, -log_ratio.hi)
            small = total.lo - log_ratio.lo + self.shift_error
        else:
            quotient = divide(carried.mantissa, self.row_total)
            total = two_sum(self.shifted, xp.log(quotient.hi))
            positive = xp.where(quotient.hi > 0, quotient.hi, xp.ones_like(quotient.hi))
            small = total.lo + quotient.lo / positive + self.shift_error
        rest = xp.where(xp.isfinite(total.hi), total.hi + small, total.hi)
        if carried.log_g is not None and carried.mantissa is not None:
            # The quotient may underflow while its logarithm is an ordinary number.
            tiny = quotient.hi < xp.finfo(self.scores.dtype).smallest_normal * 2.0**60
            far = tiny & ~xp.isinf(self.scores)
            rest = xp.where(far, carried.log_g() - self.log_partition()[..., None], rest)
        return xp.where(self.is_max, -(log_ratio.hi + log_ratio.lo), rest)

    def log_partition(self) -> Array:
        xp, carried = self.xp, self.carried
        log_total = self._log_total_over_max if carried.mantissa is None else self._log_total()
        result = two_sum(self.largest[..., 0], log_total.hi)
        lo = result.lo + log_total.lo
        finite = xp.where(xp.isfinite(result.hi), result.hi + lo, result.hi)
        # A row whose terms are all zero has no probabilities, but its log-partition is log 0.
        nothing = self.largest[..., 0] == -float("inf")
        finite = xp.where(nothing, xp.full_like(finite, -float("inf")), finite)
        return xp.where(self._dominated[..., 0], xp.full_like(finite, float("inf")), finite)

    @cached_property
    def _partition_gradient(self) -> Array:
        if self.carried.derivative is None:
            return self.probabilities()
        xp, derivative = self.xp, self.carried.derivative()
        # For small scores g′ with the scale of g is near the overflow threshold: the splitting in two_product would overflow.
        bits = math.log2(xp.finfo(self.scores.dtype).max)
        is_large = xp.abs(derivative.hi) > 2.0 ** (bits // 2)
        room = xp.where(is_large, xp.full_like(derivative.hi, 2.0 ** -(bits // 5)), xp.ones_like(derivative.hi))
        hi, lo = derivative.hi * room, derivative.lo * room
        product = two_product(hi, self.power)
        lo = product.lo + lo * self.power + product.hi * self.shift_error
        return divide(Pair(product.hi, lo), self.row_total).value() / room

    def partition_gradient(self) -> Array:
        return self._partition_gradient

    def _complement(self) -> Array:
        """1 − p as (sum of the others) / Σ, which keeps its digits when p rounds to one."""
        xp, total = self.xp, self.row_total
        rest = two_sum(total.hi, -self.terms.hi)
        rest = Pair(rest.hi, rest.lo + total.lo - self.terms.lo)
        others = Pair(*(xp.where(self.is_max, o[..., None], r) for o, r in zip(self.others, rest, strict=True)))
        return divide(others, total).value()

    def vjp(self, cotangents: Array) -> Array:
        mean = plain_sum(self.probabilities() * cotangents, self.xp)
        return self.partition_gradient() * (cotangents - mean[..., None])

    def log_vjp(self, cotangents: Array) -> Array:
        xp = self.xp
        elsewhere = plain_sum(cotangents, xp)[..., None] - cotangents
        same_class = cotangents * self._complement()
        if self.carried.slope is not None:
            same_class = self._zero_times(same_class, self.carried.slope())
        return same_class - self._zero_times(elsewhere, self.partition_gradient())

    def _zero_times(self, factor: Array, slope: Array) -> Array:
        """factor · slope. Zero where the factor is zero, even if the slope is infinite, as 1/x is for x zero or subnormal."""
        xp, product = self.xp, factor * slope
        return xp.where((factor == 0) & ~xp.isfinite(slope), self.scores_nan_or_zero(), product)

    def losses(self, targets: Array) -> Array:
        """Log loss −Σ y log p; 0·log 0 = 0."""
        xp = self.xp
        terms = targets * self.log_probabilities()
        return -extended_sum(xp.where(targets != 0, terms, self.scores_nan_or_zero()), xp)

    def scores_nan_or_zero(self) -> Array:
        """Zeros, with NaN in the rows that have no probabilities."""
        return (self.total.hi * 0.0)[..., None] + self.xp.zeros_like(self.scores)

    def loss_gradient(self, targets: Array) -> Array:
        """g′ₖ (Σy) / S − yₖ g′ₖ/gₖ. The target's entry is −(g′/g)·(1 − p), with 1 − p summed from the other classes."""
        return -self.log_vjp(targets)


def normalized(
    *,
    carry: Callable[..., Carried],
    g_oracle: Callable[..., Any],
    limits_of_g: tuple[float, float],
    limits_of_slope: tuple[float, float] = (0.0, 0.0),
    spare: bool = False,
    **facts: Any,
) -> ProbabilityMapping:
    """A record of the normalized family.

    Args:
        carry: (scores, xp, **parameters) → `Carried`, the representation of g at finite scores of shape (..., K).
        g_oracle: (score, mpmath, **parameters) → g in arbitrary precision.
        limits_of_g: g at −inf and at +inf: 0, a finite number, inf, or NaN outside the domain.
        limits_of_slope: g′/g at −inf and at +inf, if `carry` gives a slope: 1 where g is exponential there, else 0.
        spare: whether the denominator has an extra 1, for a spare outcome that is never observed.
        facts: the other fields of `ProbabilityMapping`.
    """

    def evaluate(scores: Array, xp: Namespace, **parameters: Any) -> NormalizedPoint:
        return NormalizedPoint(
            scores, lambda x, xp: carry(x, xp, **parameters), limits_of_g, spare, xp, limits_of_slope
        )

    def oracle(scores: list[Any], mp: Any, **parameters: Any) -> list[Any]:
        values = {score: g_oracle(score, mp, **parameters) for score in set(scores)}
        # Divisions are what costs: equal scores share one.
        times = Counter(scores)

        def share(value: Any) -> Any:
            """By the odds of the others against it: no shift, no shared sum."""
            odds = [n * (values[score] / value) for score, n in times.items()]
            return 1 / mp.fsum(odds + ([1 / value] if spare else []))

        shares = {score: share(value) if value else mp.mpf(0) for score, value in values.items()}
        return [shares[score] for score in scores]

    def log_partition_oracle(scores: list[Any], mp: Any, **parameters: Any) -> Any:
        return mp.log(mp.fsum([g_oracle(score, mp, **parameters) for score in scores] + ([1] if spare else [])))

    facts.setdefault("loss_name", "log loss −Σ y log p")
    return ProbabilityMapping(
        family="normalized", evaluate=evaluate, oracle=oracle, log_partition_oracle=log_partition_oracle, **facts
    )
