"""Double-double arithmetic on arrays: each number is an unevaluated sum hi + lo, where lo holds the rounding error of hi.

Sources: Knuth (TAOCP 2, 4.2.2) for two_sum; Dekker 1971 and Veltkamp for the exact product; Ogita, Rump & Oishi 2005 for the
compensated sum. Only array-API operations and no branches on values, so that every library can trace it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from lastlayer.mappings.record import Array, Namespace

#: ln 2 = LN2_HI + LN2_LO. LN2_HI has 32 trailing zero bits, so that k·LN2_HI is exact for every exponent k of a float64.
LN2_HI = 0.6931471803691238
LN2_LO = 1.9082149292705877e-10


class Pair(NamedTuple):
    """A double-double number: the unevaluated sum hi + lo, where lo is far smaller than hi."""

    hi: Any
    lo: Any

    def value(self) -> Any:
        """The pair rounded once."""
        return self.hi + self.lo


def two_sum(a: Any, b: Any) -> Pair:
    """a + b = hi + lo exactly, for any finite a and b whose sum is finite."""
    hi = a + b
    t = hi - a
    return Pair(hi, (a - (hi - t)) + (b - t))


def _split_factor(a: Any) -> float:
    """Veltkamp's constant 2^ceil(precision/2) + 1. It splits a float into two halves whose products are exact."""
    narrow = str(getattr(a, "dtype", "float64")).endswith("float32")
    return 4097.0 if narrow else 134217729.0


def two_product(a: Any, b: Any) -> Pair:
    """a·b = hi + lo exactly, for magnitudes from 1e-145 to 1e290. Below, lo loses bits that are too small to matter."""
    hi = a * b
    a_hi, a_lo = _split(a)
    b_hi, b_lo = _split(b)
    return Pair(hi, ((a_hi * b_hi - hi) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo)


def _split(a: Any) -> tuple[Any, Any]:
    t = a * _split_factor(a)
    high = t - (t - a)
    return high, a - high


def add(a: Pair, b: Pair) -> Pair:
    """a + b to about twice the working precision, unless the two cancel."""
    hi, lo = two_sum(a.hi, b.hi)
    return Pair(hi, lo + (a.lo + b.lo))


def multiply(a: Pair, b: Pair) -> Pair:
    """a·b to about twice the working precision."""
    hi, lo = two_product(a.hi, b.hi)
    return Pair(hi, lo + (a.hi * b.lo + a.lo * b.hi))


def divide(a: Pair, b: Pair) -> Pair:
    """a / b to about twice the working precision: one division, then a correction by its remainder."""
    hi = a.hi / b.hi
    back, back_lo = two_product(hi, b.hi)
    return Pair(hi, (((a.hi - back) - back_lo) + a.lo - hi * b.lo) / b.hi)


def compensated_sum(terms: Pair, xp: Namespace) -> Pair:
    """Σ over the last axis, with the rounding error of every addition kept.

    Pairwise: it adds the two halves of the axis to each other until one entry is left. The order depends only on the length,
    so that a row gives the same bits in any batch. A namespace whose rows lie on several processes brings its own sum.
    """
    across = getattr(xp, "compensated_sum", None)
    if across is not None:
        return across(terms)
    hi, lo = terms
    classes = hi.shape[-1]
    if classes == 0:
        zero = xp.sum(hi, axis=-1)
        return Pair(zero, zero)
    # Put the class axis first: with few classes, adding a few long contiguous arrays is faster than many short ones.
    hi, lo = _classes_first(hi, xp), _classes_first(lo, xp)
    while classes > 1:
        half = classes // 2
        total, error = two_sum(hi[:half, ...], hi[half : 2 * half, ...])
        rest = lo[:half, ...] + lo[half : 2 * half, ...] + error
        if classes % 2:
            total = xp.concat([total, hi[2 * half :, ...]], axis=0)
            rest = xp.concat([rest, lo[2 * half :, ...]], axis=0)
        hi, lo, classes = total, rest, half + classes % 2
    return Pair(hi[0, ...], lo[0, ...])


def _classes_first(x: Array, xp: Namespace) -> Array:
    moved = xp.permute_dims(x, (x.ndim - 1, *range(x.ndim - 1)))
    return xp.reshape(xp.reshape(moved, (-1,)), moved.shape)


def plain_sum(terms: Array, xp: Namespace) -> Array:
    """Σ over the last axis, compensated and rounded once."""
    return compensated_sum(Pair(terms, xp.zeros_like(terms)), xp).value()


def extended_sum(terms: Array, xp: Namespace) -> Array:
    """Σ over the last axis, compensated. Infinite where a term is infinite; the compensation alone would give NaN."""
    infinite = xp.isinf(terms)
    finite = plain_sum(xp.where(infinite, xp.zeros_like(terms), terms), xp)
    # A sum that is infinite or overflows has no rounding error to add back; a NaN term makes the sum NaN.
    rounded = xp.sum(terms, axis=-1)
    return xp.where(xp.isinf(rounded), rounded, xp.where(xp.any(infinite, axis=-1), rounded, finite))


def power_of_two(x: Array, xp: Namespace) -> tuple[Array, Array]:
    """(s, k) with s = 2^k exactly and x·s in [1/2, 2]. k is an integer stored as a float, within ±1021 (±125 in float32).

    Zero, infinite and NaN entries get s = 1. The power is a product of constants, since a library's pow may not be exact.
    """
    info = xp.finfo(x.dtype)
    largest = math.floor(math.log2(info.max)) - 2
    usable = xp.isfinite(x) & (x > 0)
    k = -xp.floor(xp.log2(xp.where(usable, x, xp.ones_like(x))))
    k = xp.clip(k, -float(largest), float(largest))
    scale = xp.ones_like(x)
    rest = xp.abs(k)
    bit = 1 << (largest.bit_length() - 1)
    while bit:
        taken = rest >= bit
        factor = xp.where(k > 0, xp.full_like(x, math.ldexp(1.0, bit)), xp.full_like(x, math.ldexp(1.0, -bit)))
        scale = xp.where(taken, scale * factor, scale)
        rest = xp.where(taken, rest - bit, rest)
        bit //= 2
    return scale, k
