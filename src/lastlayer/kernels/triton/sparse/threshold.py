"""The threshold τ of sparsemax and of 1.5-entmax, by Newton steps from the left, to the last bit of float32.

With z = x − max (halved for 1.5-entmax) and base = z − τ, p = base₊ for sparsemax and base₊² for 1.5-entmax. The equations
Σ base₊ = 1 and ‖base₊‖ = 1 are convex in τ, so Newton's iteration from τ = −1 is monotone and needs no bracket (for sparsemax
this is the algorithm of Michelot 1986). −τ is the largest base, and so the scale of every error.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, fast_two_sum, sum_of_row, two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores

#: Newton takes a handful of steps. Evenly spaced scores may take more; no row takes this many.
MOST_STEPS = tl.constexpr(200)
#: A step this small relative to τ is the last: rounding alone makes steps of a quarter of it.
LAST_STEP = tl.constexpr(2.0**-22)


@triton.jit
def base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX: tl.constexpr):
    """z − τ as a pair, the high part correctly rounded; −τ at the maximum, even if that is infinite; a NaN stays."""
    difference, lost = two_sum(b_x, -largest[:, None])
    b_is_max = b_x == largest[:, None]
    lost = tl.where(b_is_max | (tl.abs(difference) == float("inf")), 0.0, lost)
    difference = tl.where(b_is_max, 0.0, difference)
    if IS_ENTMAX:
        difference = 0.5 * difference
        lost = 0.5 * lost
    base, base_low = two_sum(difference, -tau[:, None])
    is_infinite = tl.abs(base) == float("inf")
    base, base_low = fast_two_sum(base, tl.where(is_infinite, 0.0, base_low + (lost - tau_low[:, None])))
    return base, tl.where(is_infinite, 0.0, base_low)


@triton.jit
def base_of(b_x, largest, tau, tau_low, IS_ENTMAX: tl.constexpr):
    """z − τ rounded once."""
    base, _ = base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX)
    return base


@triton.jit
def positive(b_base):
    """The positive part; a NaN stays."""
    return tl.where(b_base <= 0.0, 0.0, b_base)


@triton.jit
def sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_ENTMAX: tl.constexpr):
    """Add a tile to the sums of a Newton step: Σ p, and Σ base (entmax) or the size of the support (sparsemax)."""
    b_base = positive(base_of(b_x, largest, tau, tau_low, IS_ENTMAX))
    if IS_ENTMAX:
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
    activation,
    IS_ENTMAX: tl.constexpr,
    IS_SINGLE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """τ of every row as a pair; NaN for a row with a NaN or of −∞. Rows of one tile are `b_x`; longer rows are read at every step."""
    tau = tl.full([ROWS], -1.0, tl.float32)
    tau_low = tl.zeros([ROWS], tl.float32)
    support = tl.zeros([ROWS], tl.float32)
    m_moves = m_rows
    steps = 0
    while (tl.max(m_moves.to(tl.int32), axis=0) > 0) & (steps < MOST_STEPS):
        b_total = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        b_slope = tl.zeros([ROWS, BLOCK], tl.float32)
        if IS_SINGLE:
            b_total, b_lost, b_slope = sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_ENTMAX)
        else:
            for start in range(0, K, BLOCK):
                _, b_x = load_scores(scores, o_rows, m_rows, start + tl.arange(0, BLOCK), K, activation)
                b_total, b_lost, b_slope = sums_of_tile(b_x, largest, tau, tau_low, b_total, b_lost, b_slope, IS_ENTMAX)
        total, lost = sum_of_row(b_total, b_lost)
        slope = tl.sum(b_slope, axis=1)
        if IS_ENTMAX:
            # Newton on the norm √Σ p, which is nearly linear: total − √total = (total − 1)·√total / (1 + √total).
            root = tl.sqrt_rn(total)
            step = tl.div_rn(((total - 1.0) + lost) * root, (1.0 + root) * slope)
            m_last = tl.abs(step) <= -LAST_STEP * tau
        else:
            # The support only shrinks. Once it stays the same, this step is exact.
            step = tl.div_rn((total - 1.0) + lost, slope)
            m_last = slope == support
            support = slope
        moved, moved_low = fast_two_sum(tau, tau_low + step)
        tau, tau_low = tl.where(m_moves, moved, tau), tl.where(m_moves, moved_low, tau_low)
        m_moves = m_moves & ((step != 0.0) & (step == step) & (m_last == 0))
        steps += 1
    return tl.where(largest == float("-inf"), float("nan"), tau), tau_low


@triton.jit
def accumulate_others(b_x, b_terms, largest, b_sum, b_lost, b_ties):
    """Add the terms of classes below the maximum, and count the classes at it."""
    b_is_max = b_x == largest[:, None]
    b_sum, b_lost = accumulate(b_sum, b_lost, tl.where(b_is_max, 0.0, b_terms))
    return b_sum, b_lost, b_ties + b_is_max.to(tl.int32)


@triton.jit
def sum_of_others(b_sum, b_lost, b_ties, largest_term):
    """The sum of all terms but one at the maximum. For probabilities this is 1 − p of the largest, accurate even if it is tiny."""
    rest, lost = sum_of_row(b_sum, b_lost)
    ties = (tl.sum(b_ties, axis=1) - 1).to(tl.float32)
    return tl.fma(ties, largest_term, rest) + lost
