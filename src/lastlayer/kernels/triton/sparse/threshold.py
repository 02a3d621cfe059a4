"""The threshold τ of sparsemax and of 1.5-entmax: Newton steps from the left, to the last bit that float32 shows.

With z = x − max (halved for 1.5-entmax) and base = z − τ, p = base₊ for sparsemax and base₊² for 1.5-entmax. The equations
Σ base₊ = 1 and ‖base₊‖ = 1 are convex in τ, so that Newton from τ = −1 comes from one side and needs no bracket
(for sparsemax this is the algorithm of Michelot 1986). −τ is the largest base, and so the scale of every error.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, fast_two_sum, sum_of_row, two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores

#: Newton's steps take a handful of trips; a row of nearly equal steps of scores may take more, and no row this many.
TRIPS = tl.constexpr(200)
#: A step so small beside τ is the last, for rounding makes some of a quarter of it.
LAST_STEP = tl.constexpr(2.0**-22)


@triton.jit
def base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE: tl.constexpr):
    """z − τ as a pair, whose first part is it rounded once; at the maximum −τ, infinite or not; a NaN stays."""
    difference, lost = two_sum(b_x, -largest[:, None])
    b_top = b_x == largest[:, None]
    lost = tl.where(b_top | (tl.abs(difference) == float("inf")), 0.0, lost)
    difference = tl.where(b_top, 0.0, difference)
    if IS_SQUARE:
        difference = 0.5 * difference
        lost = 0.5 * lost
    base, base_low = two_sum(difference, -tau[:, None])
    is_infinite = tl.abs(base) == float("inf")
    base, base_low = fast_two_sum(base, tl.where(is_infinite, 0.0, base_low + (lost - tau_low[:, None])))
    return base, tl.where(is_infinite, 0.0, base_low)


@triton.jit
def base_of(b_x, largest, tau, tau_low, IS_SQUARE: tl.constexpr):
    """z − τ rounded once."""
    base, _ = base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE)
    return base


@triton.jit
def positive(b_base):
    """The positive part; a NaN stays."""
    return tl.where(b_base <= 0.0, 0.0, b_base)


@triton.jit
def sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_SQUARE: tl.constexpr):
    """Adds what Newton's step is made of: Σ p, and Σ base or the number of classes in the support."""
    b_base = positive(base_of(b_x, largest, tau, tau_low, IS_SQUARE))
    if IS_SQUARE:
        b_total, b_lost = accumulate(b_total, b_lost, b_base * b_base)
        b_slope += b_base
    else:
        b_total, b_lost = accumulate(b_total, b_lost, b_base)
        b_slope += tl.where(b_base > 0.0, 1.0, 0.0)
    return b_total, b_lost, b_slope


@triton.jit
def find_threshold(
    b_x,
    largest,
    scores,
    o_rows,
    m_rows,
    K,
    softcap,
    temperature,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    IS_SQUARE: tl.constexpr,
    IS_SINGLE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """τ of every row as a pair, NaN where it has a NaN or nothing above −∞. Rows of one tile are `b_x`; others are read every trip."""
    tau = tl.full([ROWS], -1.0, tl.float32)
    tau_low = tl.zeros([ROWS], tl.float32)
    size = tl.zeros([ROWS], tl.float32)
    m_moves = m_rows
    trip = 0
    while (tl.max(m_moves.to(tl.int32), axis=0) > 0) & (trip < TRIPS):
        b_total = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        b_slope = tl.zeros([ROWS, BLOCK], tl.float32)
        if IS_SINGLE:
            b_total, b_lost, b_slope = sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_SQUARE)
        else:
            for start in range(0, K, BLOCK):
                _, b_x = load_scores(
                    scores,
                    o_rows,
                    m_rows,
                    start + tl.arange(0, BLOCK),
                    K,
                    softcap,
                    temperature,
                    HAS_SOFTCAP,
                    HAS_TEMPERATURE,
                )
                b_total, b_lost, b_slope = sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_SQUARE)
        total, lost = sum_of_row(b_total, b_lost)
        slope = tl.sum(b_slope, axis=1)
        if IS_SQUARE:
            # Of the norm, √Σ p, which is nearly linear: total − √total = (total − 1)·√total / (1 + √total).
            root = tl.sqrt_rn(total)
            step = tl.div_rn(((total - 1.0) + lost) * root, (1.0 + root) * slope)
            m_last = tl.abs(step) <= -LAST_STEP * tau
        else:
            # The support only shrinks; where it stays, this step is exact.
            step = tl.div_rn((total - 1.0) + lost, slope)
            m_last = slope == size
            size = slope
        moved, moved_low = fast_two_sum(tau, tau_low + step)
        tau, tau_low = tl.where(m_moves, moved, tau), tl.where(m_moves, moved_low, tau_low)
        m_moves = m_moves & ((step != 0.0) & (step == step) & (m_last == 0))
        trip += 1
    return tl.where(largest == float("-inf"), float("nan"), tau), tau_low


@triton.jit
def rest_of_tile(b_x, b_terms, largest, b_sum, b_lost, b_ties):
    """Adds the terms of classes below the largest, and counts those at it."""
    b_top = b_x == largest[:, None]
    b_sum, b_lost = accumulate(b_sum, b_lost, tl.where(b_top, 0.0, b_terms))
    return b_sum, b_lost, b_ties + b_top.to(tl.int32)


@triton.jit
def complement_of_largest(b_sum, b_lost, b_ties, largest_term):
    """The sum of all terms but one at the largest. Of probabilities 1 − p, which must not vanish while any other has mass."""
    rest, lost = sum_of_row(b_sum, b_lost)
    ties = (tl.sum(b_ties, axis=1) - 1).to(tl.float32)
    return tl.fma(ties, largest_term, rest) + lost
