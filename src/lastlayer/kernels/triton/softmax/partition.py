"""What follows from the sum Σ of a row's terms: log Σ, 1 / Σ and the log-partition, each as a pair or rounded once."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import log1p_pair
from lastlayer.kernels.triton.arithmetic.float_float import divide, two_sum


@triton.jit
def log_of_total(max_term, others, others_low):
    """log(Σ / max_term) = log1p(others / max_term) as a pair. 1 + others would lose small others."""
    ratio, ratio_low = divide(others, others_low, max_term, 0.0 * max_term)
    return log1p_pair(ratio, ratio_low)


@triton.jit
def inverse_of_total(max_term, others, others_low):
    """1 / Σ as a pair; NaN where every term is zero."""
    total, lost = two_sum(max_term, others)
    return divide(1.0 + 0.0 * max_term, 0.0 * max_term, total, lost + others_low)


@triton.jit
def below_maximum(b_x, largest):
    """x − max, zero where both are infinite."""
    return tl.where(b_x == largest, 0.0, b_x - largest)


@triton.jit
def log_partition(largest, total, log_total, log_total_low):
    """Z = max + log(Σ / max_term), rounded once; −∞ where every term is zero."""
    hi, lo = two_sum(largest, log_total)
    # An infinite sum has no low part.
    z = tl.where(tl.abs(hi) == float("inf"), hi, hi + (lo + log_total_low))
    return tl.where(total == 0.0, float("-inf"), z)


@triton.jit
def times_pair_of_row(b_terms, factor, factor_low, IS_HALF: tl.constexpr):
    """A tile times one pair per row, rounded once; for a half type's digits, times its high part."""
    return b_terms * factor[:, None] if IS_HALF else tl.fma(b_terms, factor[:, None], b_terms * factor_low[:, None])
