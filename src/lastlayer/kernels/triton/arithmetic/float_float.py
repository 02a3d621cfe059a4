"""Float-float arithmetic: sums, products and quotients with their rounding errors, as unevaluated pairs hi + lo of float32.

Every operation here is one IEEE operation: `+`, `−`, `*`, `tl.fma`, `tl.div_rn`. That holds only while the compiler
contracts nothing: every launch passes `enable_fp_fusion=False`, which stops LLVM's contraction and gives ptxas
`--fmad=false`. Where a single rounding is wanted, the source says `tl.fma`. `/` is never used on floats: it is the approximate division.

Sources: Knuth (TAOCP 2, 4.2.2) for two_sum; Dekker 1971 for fast_two_sum; Ogita, Rump & Oishi 2005 for two_product by fma.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def two_sum(a, b):
    """a + b = hi + lo exactly, for any finite a and b whose sum is finite."""
    hi = a + b
    t = hi - a
    return hi, (a - (hi - t)) + (b - t)


@triton.jit
def fast_two_sum(a, b):
    """a + b = hi + lo exactly where |a| ≥ |b| or a is zero."""
    hi = a + b
    return hi, b - (hi - a)


@triton.jit
def two_product(a, b):
    """a·b = hi + lo exactly, where lo does not underflow."""
    hi = a * b
    return hi, tl.fma(a, b, -hi)


@triton.jit
def accumulate(sum_hi, sum_lo, term):
    """Add a term to a compensated sum: the sum, and the rounding errors of its additions."""
    hi, lost = two_sum(sum_hi, term)
    return hi, sum_lo + lost


@triton.jit
def divide(a_hi, a_lo, b_hi, b_lo):
    """a / b to about twice the working precision: one division, then a correction from its remainder."""
    hi = tl.div_rn(a_hi, b_hi)
    rest = tl.fma(-hi, b_lo, tl.fma(-hi, b_hi, a_hi) + a_lo)
    return hi, tl.div_rn(rest, b_hi)


@triton.jit
def sum_of_row(sum_hi, sum_lo):
    """Σ over the last axis of a tile of running sums, as a pair. An infinite sum has no low part; a NaN stays."""
    hi, lo = fast_two_sum(tl.sum(sum_hi, axis=1), tl.sum(sum_lo, axis=1))
    plain = tl.sum(sum_hi, axis=1)
    is_infinite = tl.abs(plain) == float("inf")
    return tl.where(is_infinite, plain, hi), tl.where(is_infinite, 0.0, lo)
