"""How a mapping of the normalized family represents its g, and the limits of g and g′/g at infinite scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from lastlayer.mappings.double_double import LN2_HI, Pair
from lastlayer.mappings.record import Array, Namespace


class Carried(NamedTuple):
    """g and its derivative at scores of shape (..., K), each represented as mantissa · e^exponent / 2^log2_scale."""

    #: g without its exponential part, of moderate size; None means 1.
    mantissa: Pair | None = None
    #: The logarithm of the exponential part; None means 0.
    exponent: Array | None = None
    #: g′ with the same scale and exponent as g; None means g′ = g.
    derivative: Callable[[], Pair] | None = None
    #: g′/g, unscaled; None means 1.
    slope: Callable[[], Array] | None = None
    #: log2 of the power of two in the row's mantissas, an integer of shape (..., 1); None means 0.
    log2_scale: Array | None = None
    #: log g, unscaled, for probabilities too small for the mantissa; None if the exponent represents them.
    log_g: Callable[[], Array] | None = None


def with_limits_of_slope(
    carried: Carried, scores: Array, infinite: Array, limits: tuple[float, float], xp: Namespace
) -> Carried:
    """Replace g′/g by its limits where a score is ±inf."""
    slope = carried.slope
    if slope is None:
        return carried
    low, high = limits
    zero = xp.zeros_like(scores)
    return carried._replace(slope=lambda: xp.where(infinite, xp.where(scores > 0, zero + high, zero + low), slope()))


def at_infinity(
    carried: Carried, scores: Array, infinite: Array, limits: tuple[float, float], xp: Namespace
) -> tuple[Carried, Array]:
    """Replace g by its limits where a score is ±inf. Also returns which rows have a class with infinite g.

    The classes with infinite g share the row equally; a class with g = 0 gets probability 0.
    """
    low, high = limits
    zero = xp.zeros_like(scores)
    dominant = infinite & _has_limit(scores, limits, float("inf"))
    dominated = xp.any(dominant, axis=-1, keepdims=True)
    vanishing = infinite & _has_limit(scores, limits, 0.0)
    nan = xp.any(xp.isnan(scores), axis=-1, keepdims=True)
    dominated = dominated & ~nan
    mantissa, exponent, derivative = carried.mantissa, carried.exponent, carried.derivative
    if mantissa is not None:
        ones = zero + 1.0
        # A finite limit of g needs the row's scale, like g of the finite scores.
        bounded = xp.where(scores > 0, zero + _finite(high), zero + _finite(low))
        limit = bounded if carried.log2_scale is None else bounded * xp.exp(carried.log2_scale * LN2_HI)
        hi = xp.where(dominated, xp.where(dominant, ones, zero), xp.where(infinite, limit, mantissa.hi))
        mantissa = Pair(hi, xp.where(infinite | dominated, zero, mantissa.lo))
    if exponent is not None:
        nothing = xp.full_like(scores, -float("inf"))
        exponent = xp.where(dominated, xp.where(dominant, zero, nothing), xp.where(vanishing, nothing, exponent))
    if derivative is not None:
        carried_derivative = derivative
        derivative = lambda: Pair(*(xp.where(infinite | dominated, zero, part) for part in carried_derivative()))  # noqa: E731
    return carried._replace(mantissa=mantissa, exponent=exponent, derivative=derivative), dominated


def _has_limit(scores: Array, limits: tuple[float, float], wanted: float) -> Array:
    """Where g has the wanted limit, at +inf or −inf according to the score's sign."""
    low, high = limits
    # No array · bool here: TorchScript, which an ONNX exporter uses, does not support it.
    if high == low == wanted:
        return scores != 0
    return scores > 0 if high == wanted else scores < 0 if low == wanted else scores != scores


def _finite(limit: float) -> float:
    """A finite limit of g, else 0: infinite and undefined limits are handled by other rules."""
    return limit if math.isfinite(limit) else 0.0
