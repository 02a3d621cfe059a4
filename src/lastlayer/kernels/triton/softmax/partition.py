"""What a row's total weight says: its logarithm, its inverse, the log-partition; each as a pair or rounded once."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import log1p_pair
from lastlayer.kernels.triton.arithmetic.float_float import divide, two_sum


@triton.jit
def log_of_total(top, others, others_low):
    """log(Σ / top) = log1p(others / top) as a pair: never through 1 + others, where small others are lost."""
    ratio, ratio_low = divide(others, others_low, top, 0.0 * top)
    return log1p_pair(ratio, ratio_low)


@triton.jit
def inverse_of_total(top, others, others_low):
    """1 / Σ as a pair; not a number where nothing has weight."""
    total, lost = two_sum(top, others)
    return divide(1.0 + 0.0 * top, 0.0 * top, total, lost + others_low)


@triton.jit
def below_maximum(b_x, largest):
    """x − max, zero where both are infinite."""
    return tl.where(b_x == largest, 0.0, b_x - largest)


@triton.jit
def log_partition(largest, total, log_total, log_total_low):
    """Z = max + log(Σ / top), rounded once; −∞ where nothing has weight."""
    hi, lo = two_sum(largest, log_total)
    # An infinite sum has no low part.
    z = tl.where(tl.abs(hi) == float("inf"), hi, hi + (lo + log_total_low))
    return tl.where(total == 0.0, float("-inf"), z)


@triton.jit
def times_pair(b_weights, factor, factor_low, IS_HALF: tl.constexpr):
    """A tile times a pair a row, rounded once; for a half type's digits, times its first part."""
    if IS_HALF:
        b_out = b_weights * factor[:, None]
    else:
        b_out = tl.fma(b_weights, factor[:, None], b_weights * factor_low[:, None])
    return b_out
