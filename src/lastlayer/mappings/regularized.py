"""What all mappings of the regularized family share: p = argmax over the simplex of ⟨p, x⟩ − Ω(p).

The loss is the Fenchel–Young loss Ω*(x) + Ω(y) − ⟨x, y⟩ (Blondel, Martins & Niculae 2020), written as a sum of terms ≥ 0 so
that nothing cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from lastlayer.mappings.double_double import Pair, plain_sum, two_sum
from lastlayer.mappings.record import Array, Namespace, ProbabilityMapping, device_of


class Shifted(NamedTuple):
    """Scores minus their maximum, with the rounding error of the difference."""

    largest: Array
    difference: Pair


def shift(scores: Array, xp: Namespace) -> Shifted:
    """x − max per row. If scores are +inf, they get 0 and all others −inf, so that they share the row equally."""
    zero = xp.zeros_like(scores)
    lowest = xp.full_like(scores, -float("inf"))
    dominant = scores == float("inf")
    dominated = xp.any(dominant, axis=-1, keepdims=True) & ~xp.any(xp.isnan(scores), axis=-1, keepdims=True)
    largest = xp.max(scores, axis=-1, keepdims=True)
    hi, lo = two_sum(scores, -largest)
    lo = xp.where(xp.isfinite(hi), lo, zero)
    return Shifted(largest, Pair(xp.where(dominated, xp.where(dominant, zero, lowest), hi), lo))


class RegularizedPoint:
    """Everything that follows from the probabilities and from `tangent` (p^(2−α) on the support)."""

    xp: Namespace
    shifted: Shifted
    _p: Array

    def probabilities(self) -> Array:
        return self._p

    def partition_gradient(self) -> Array:
        return self._p

    def tangent(self) -> Array:
        """s = p^(2−α) on the support: the Jacobian of p is diag(s) − s sᵀ / Σs."""
        raise NotImplementedError

    def log_slope(self) -> Array:
        """s/p = p^(1−α) on the support, zero off it."""
        raise NotImplementedError

    @cached_property
    def _is_max(self) -> Array:
        classes = self.xp.arange(self._p.shape[-1], device=device_of(self._p))
        return classes == self.xp.argmax(self._p, axis=-1)[..., None]

    @cached_property
    def _complement(self) -> Array:
        """1 − p. For the largest class it is the sum of the others, since 1 − p would round a small sum to zero."""
        xp = self.xp
        others = plain_sum(xp.where(self._is_max, xp.zeros_like(self._p), self._p), xp)[..., None]
        return xp.where(self._is_max, others, 1.0 - self._p)

    def log_probabilities(self) -> Array:
        xp = self.xp
        confident = self._is_max & (self._p > 0.5)
        return xp.where(confident, xp.log1p(-self._complement), xp.log(self._p))

    def vjp(self, cotangents: Array) -> Array:
        xp, s = self.xp, self.tangent()
        mean = plain_sum(s * cotangents, xp) / positive_or_one(plain_sum(s, xp), xp)
        return s * (cotangents - mean[..., None])

    def log_vjp(self, cotangents: Array) -> Array:
        # A class off the support has log p = −inf in a whole neighbourhood, so it contributes nothing.
        xp, s, slope = self.xp, self.tangent(), self.log_slope()
        pulled = xp.where(cotangents != 0, cotangents * slope, xp.zeros_like(slope))
        return pulled - s * (plain_sum(pulled, xp) / positive_or_one(plain_sum(s, xp), xp))[..., None]

    def loss_gradient(self, targets: Array) -> Array:
        """p − y. The target's entry is −(sum of the other probabilities), since p − 1 may round to zero."""
        xp = self.xp
        elsewhere = plain_sum(targets, xp)[..., None] - targets
        return self._p * elsewhere - targets * self._complement


def positive_or_one(x: Array, xp: Namespace) -> Array:
    """x where it is positive or NaN, 1 elsewhere. Makes a division or logarithm safe where its result is discarded."""
    return xp.where(x <= 0, xp.ones_like(x), x)


def regularized(*, evaluate: Callable[..., Any], **facts: Any) -> ProbabilityMapping:
    """A record of the regularized family.

    Args:
        evaluate: (scores, xp, **parameters) → `Point`.
        facts: the other fields of `ProbabilityMapping`, including `oracle` and `regularizer_oracle`.
    """
    oracle, regularizer = facts["oracle"], facts["regularizer_oracle"]

    def log_partition_oracle(scores: list[Any], mp: Any, **parameters: Any) -> Any:
        p = oracle(scores, mp, **parameters)
        return mp.fsum(a * b for a, b in zip(p, scores, strict=True) if a) - regularizer(p, mp, **parameters)

    facts.setdefault("loss_name", "Fenchel–Young loss Ω*(x) + Ω(y) − ⟨x, y⟩")
    return ProbabilityMapping(
        family="regularized", evaluate=evaluate, log_partition_oracle=log_partition_oracle, **facts
    )
