"""e^x, e^x − 1, log and log(1 + x) in float32, as polynomials over fma. Triton's built-in functions are fast approximations.

Arguments are reduced exactly: x = k·ln 2 + r with k·ln 2 subtracted in two parts by fma, so that the first difference
is exact for |x| ≤ `LARGEST_UNSHIFTED`. All results are combinations of IEEE operations, so a GPU and the interpreter agree bit by bit.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import fast_two_sum, two_sum

#: Larger scores are shifted by their row's maximum first, which is exact for those near enough to it to count.
LARGEST_UNSHIFTED = tl.constexpr(524288.0)
#: 1.5·2^23: adding it rounds to a whole number, which is then in the last bits of the sum.
SHIFT = tl.constexpr(12582912.0)
SHIFT_BITS = tl.constexpr(0x4B400000)
LOG2_E = tl.constexpr(1.44269504)
#: ln 2 rounded to float32, and the remainder.
LN2 = tl.constexpr(0.693147182464599609375)
LN2_REST = tl.constexpr(-1.9046542121259336e-09)
#: Fifteen bits of ln 2, whose product with any exponent is exact, and the remainder.
LN2_SHORT = tl.constexpr(0.693145751953125)
LN2_SHORT_REST = tl.constexpr(1.4286068203094173e-06)
#: Bits of √½, above which a mantissa belongs to the next exponent.
ROOT_HALF_BITS = tl.constexpr(0x3F3504F3)


@triton.jit
def reduce_argument(x):
    """x = k·ln 2 + r, |r| ≤ ln(2)/2: r, and k + SHIFT as a float whose bits hold k."""
    shifted = tl.fma(x, LOG2_E, SHIFT)
    k = shifted - SHIFT
    return tl.fma(k, -LN2_REST, tl.fma(k, -LN2, x)), shifted


@triton.jit
def exponential_tail(r):
    """e^r − 1 = r + r²·q(r) on |r| ≤ ln(2)/2, q minimax to 2^−34 of e^r."""
    q = tl.fma(r, 0.00019919923429704235, 0.0013947211835547456)
    q = tl.fma(q, r, 0.0083332615781753784)
    q = tl.fma(q, r, 0.041666254004396458)
    q = tl.fma(q, r, 0.16666666872522348)
    q = tl.fma(q, r, 0.50000000826390321)
    return tl.fma(r * r, q, r)


@triton.jit
def exponential_near_zero(r):
    """e^r on |r| ≤ 0.36, minimax to 2^−28 of it, and rounded to 0.8 ULP."""
    q = tl.fma(r, 0.0013820633757859468, 0.008368673734366894)
    q = tl.fma(q, r, 0.04166826605796814)
    q = tl.fma(q, r, 0.1666652113199234)
    q = tl.fma(q, r, 0.4999999403953552)
    q = tl.fma(q, r, 1.0)
    return tl.fma(q, r, 1.0)


@triton.jit
def power_of_two(biased):
    """2^(biased − 127) for whole numbers up to 254; zero for those below one."""
    return (tl.maximum(biased, 0) << 23).to(tl.float32, bitcast=True)


@triton.jit
def exponential_parts(x):
    """e^x for x ≤ 0 as scale·(1 + tail): scale = 2^k, tail = e^r − 1. x below −104, where e^x is zero, counts as −104."""
    # In this order of comparison a NaN stays.
    r, shifted = reduce_argument(tl.where(x < -104.0, -104.0, x))
    k = shifted.to(tl.int32, bitcast=True) - SHIFT_BITS
    # Two powers: 2^−150 is below every float32, but times the mantissa it may round to a subnormal.
    half = k >> 1
    return power_of_two(half + 127), power_of_two(k - half + 127), exponential_tail(r)


@triton.jit
def exponential(x):
    """e^x for x ≤ 0, down to the smallest subnormal."""
    first, second, tail = exponential_parts(x)
    return (tail + 1.0) * first * second


@triton.jit
def exponential_and_expm1(x):
    """e^x and e^x − 1 for x ≤ 0, the latter accurate near zero."""
    first, second, tail = exponential_parts(x)
    scale = first * second
    return (tail + 1.0) * first * second, tl.fma(scale, tail, scale - 1.0)


@triton.jit
def logarithm_tail(g):
    """(log(1 + g) − g) / g² on √½ ≤ 1 + g < √2, minimax to 2^−30 of the logarithm."""
    q = tl.fma(g, 0.06725052744150162, -0.11676044017076492)
    q = tl.fma(q, g, 0.11900954693555832)
    q = tl.fma(q, g, -0.12407339364290237)
    q = tl.fma(q, g, 0.1421768069267273)
    q = tl.fma(q, g, -0.16667689383029938)
    q = tl.fma(q, g, 0.20002220571041107)
    q = tl.fma(q, g, -0.2500002682209015)
    q = tl.fma(q, g, 0.3333331048488617)
    return tl.fma(q, g, -0.5)


@triton.jit
def logarithm_pair(v, v_low, lift):
    """log((v + v_low) / 2^lift) as a pair, for normal v > 0 and |v_low| far below it; at v = 1 the result is that of v_low alone."""
    bits = v.to(tl.int32, bitcast=True)
    k = (bits - ROOT_HALF_BITS) >> 23
    mantissa = (bits - (k << 23)).to(tl.float32, bitcast=True)
    # v_low times the same power of two; |k| ≤ 126 except for the largest numbers, which have no v_low.
    low = v_low * power_of_two(127 - k)
    g, g_low = fast_two_sum(mantissa - 1.0, low)
    exponent = k.to(tl.float32) - lift
    small = tl.fma(g * g, logarithm_tail(g), tl.div_rn(g_low, g + 1.0))
    hi, lo = two_sum(exponent * LN2_SHORT, g)
    return fast_two_sum(hi, lo + tl.fma(exponent, LN2_SHORT_REST, small))


@triton.jit
def log1p_pair(x, x_low):
    """log(1 + x + x_low) as a pair, for x ≥ 0: the rounding error of 1 + x goes into the low part."""
    v, v_low = two_sum(1.0, x)
    hi, lo = logarithm_pair(v, v_low + x_low, 0.0)
    # An infinite or NaN x has no low part.
    is_finite = x < float("inf")
    return tl.where(is_finite, hi, x), tl.where(is_finite, lo, 0.0)


@triton.jit
def log1p_negative(x):
    """log(1 + x) for −½ ≤ x ≤ 0."""
    v, v_low = two_sum(1.0, x)
    hi, lo = logarithm_pair(v, v_low, 0.0)
    return hi + lo


@triton.jit
def logarithm(v):
    """log v: −∞ at zero, NaN below, and with all digits for subnormal v."""
    is_small = v < 1e-30
    hi, lo = logarithm_pair(tl.where(is_small, v * 18446744073709551616.0, v), 0.0 * v, tl.where(is_small, 64.0, 0.0))
    result = tl.where(v > 0.0, hi + lo, float("nan"))
    result = tl.where(v == 0.0, float("-inf"), result)
    return tl.where(v == float("inf"), v, result)
