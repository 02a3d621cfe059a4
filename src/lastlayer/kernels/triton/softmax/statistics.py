"""Softmax's row statistics: the maximum, the term of the maximum, and the sum of the *other* terms as a pair.

The *term* of a score is e^x / 2^(exponent − LIFT). The exponent is shared by a row, as in block floating point: that of e^x for an x
near the maximum. So the power of two is exact, where x − max would be rounded, and its rounding returned as a relative error.
Scores too large for this exponent (rows that are *far* from zero) are shifted by their maximum first, which is exact there.

The term of the maximum is separate from the sum of the others. log p and 1 − p of a confident class consist of the others alone, and
would be lost in 1 + others. Where only probabilities are wanted nothing is separate: `max_term` is 0 and `others` is the sum of all.

Results that are rounded to a half type (IS_HALF) use the hardware's 2^x with the same exponent: a relative error of 2^−16 wherever
the half type can tell a result from zero.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import (
    LARGEST_UNSHIFTED,
    LN2,
    LN2_REST,
    LOG2_E,
    SHIFT,
    exponential_near_zero,
)
from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row, two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores, load_tile

#: Terms are scaled by 2^LIFT, so that the smallest that matter are normal numbers.
LIFT = tl.constexpr(48)
#: Scores this many powers of two below the row's exponent are clamped: 2^−172 of the largest term is nothing in float32, and
#: 2^(LIFT − 172) is still a normal number.
REACH = tl.constexpr(172.0)
#: The first block's maximum may be this far below the row's: e^38 · 2^LIFT · 2^20 classes is still finite.
HEADROOM = tl.constexpr(38.0)
#: The largest sum of a half type's row at the exponent of its first block; the sum of many such slices is still finite.
LARGEST_SUM = tl.constexpr(2.0**100)
#: The largest float32. In a row with +∞ it counts as infinite too.
LARGEST_FLOAT = tl.constexpr(3.4028234663852886e38)


@triton.jit
def is_far(largest):
    """Whether a row's maximum is so far from zero, or infinite, that its scores need a shift."""
    return tl.abs(largest) > LARGEST_UNSHIFTED


@triton.jit
def is_any_far(largest):
    """Whether any of a program's rows is far."""
    return tl.max(is_far(largest).to(tl.int32), axis=0) > 0


@triton.jit
def less_maximum(x, largest):
    """x − max, exact near a far maximum: 0 for x = +∞; −∞ throughout a row of −∞; a NaN stays."""
    return tl.where(x > LARGEST_FLOAT, LARGEST_FLOAT, x) - tl.maximum(
        tl.minimum(largest, LARGEST_FLOAT), -LARGEST_FLOAT
    )


@triton.jit
def shift_far_rows(b_x, largest):
    """Scores of far rows minus their maximum; other rows unchanged."""
    if is_any_far(largest):
        b_x = tl.where(is_far(largest)[:, None], less_maximum(b_x, largest[:, None]), b_x)
    return b_x


@triton.jit
def exponent_of(score):
    """The exponent of e^score, a whole number."""
    return tl.fma(score, LOG2_E, SHIFT) - SHIFT


@triton.jit
def exponent_of_row(largest):
    """The exponent of a row with this maximum; 0 for a far row, whose maximum becomes 0."""
    return exponent_of(tl.where(is_far(largest), 0.0, largest))


@triton.jit
def terms(b_x, exponent, IS_HALF: tl.constexpr):
    """e^x / 2^(exponent − LIFT), negligible below REACH; a NaN stays."""
    return half_terms(b_x, exponent) if IS_HALF else float_terms(b_x, exponent)


@triton.jit
def half_terms(b_x, exponent):
    """Terms to a half type's digits. The exponent is a whole number, so only the fma rounds before the power of two."""
    return tl.exp2(tl.fma(b_x, LOG2_E, LIFT - exponent))


@triton.jit
def float_terms(b_x, exponent):
    """Terms within 0.8 ULP."""
    # Adding `shift` to x·log₂e leaves the term's biased exponent in the last bits of the sum.
    shift = (SHIFT + (127 + LIFT)) - exponent
    floor = (exponent - REACH) * LN2
    b_x = tl.maximum(b_x, floor, propagate_nan=tl.PropagateNan.ALL)
    b_shifted = tl.fma(b_x, LOG2_E, shift)
    b_k = b_shifted - shift
    b_r = tl.fma(b_k, -LN2_REST, tl.fma(b_k, -LN2, b_x))
    b_scale = (b_shifted.to(tl.int32, bitcast=True) << 23).to(tl.float32, bitcast=True)
    return exponential_near_zero(b_r) * b_scale


@triton.jit
def terms_of_tile(b_x, largest, exponent, IS_HALF: tl.constexpr):
    """The terms of a tile of rows whose statistics are known."""
    return terms(shift_far_rows(b_x, largest), exponent[:, None], IS_HALF)


@triton.jit
def term_of(x, largest, exponent, IS_HALF: tl.constexpr):
    """The term of one score of each row."""
    return terms(tl.where(is_far(largest), less_maximum(x, largest), x), exponent, IS_HALF)


@triton.jit
def has_finite_score(largest):
    """1, but 0 for rows of −∞: their terms are those of clamped scores."""
    return tl.where(largest == float("-inf"), 0.0, 1.0)


@triton.jit
def with_max_separate(others, others_low, b_ties, largest, max_term):
    """(max_term, others, others_low): of the classes tied at the maximum, all but one are among the others."""
    ties = tl.sum(b_ties, axis=1) - 1
    others, lost = two_sum(others, ties.to(tl.float32) * max_term)
    scale = has_finite_score(largest)
    return max_term * scale, others * scale, (others_low + lost) * scale


@triton.jit
def without_separation(total, total_low, largest):
    """(0, total, total_low): the same where the maximum is among the others."""
    scale = has_finite_score(largest)
    return tl.zeros_like(total), total * scale, total_low * scale


@triton.jit
def statistics_of_tile(b_x, IS_MAX_SEPARATE: tl.constexpr, IS_HALF: tl.constexpr):
    """(largest, exponent, max_term, others, others_low) of rows that are one tile, and their terms."""
    largest = tl.max(b_x, axis=1)
    exponent = exponent_of_row(largest)
    b_terms = terms_of_tile(b_x, largest, exponent, IS_HALF)
    if IS_MAX_SEPARATE:
        max_term = term_of(largest, largest, exponent, IS_HALF)
        # Terms are compared, not scores, whose registers are then free. A NaN is among the others.
        b_is_max = b_terms == max_term[:, None]
        others = tl.sum(tl.where(b_is_max, 0.0, b_terms), axis=1)
        max_term, others, others_low = with_max_separate(
            others, 0.0 * max_term, b_is_max.to(tl.int32), largest, max_term
        )
    else:
        total = tl.sum(b_terms, axis=1)
        max_term, others, others_low = without_separation(total, tl.zeros_like(total), largest)
    return largest, exponent, max_term, others, others_low, b_terms


@triton.jit
def sums_of_four(b_terms, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Sums of four neighbours each, which one thread holds: fewer numbers for the compensated sum, which costs more."""
    return tl.sum(tl.reshape(b_terms, [ROWS, BLOCK // 4, 4]), axis=2)


@triton.jit
def add_block(b_sum, b_lost, b_terms, IS_HALF: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Add a block of terms to running sums: compensated, or plain for a half type's digits."""
    b_terms = sums_of_four(b_terms, ROWS, BLOCK)
    if IS_HALF:
        b_sum += b_terms
    else:
        b_sum, b_lost = accumulate(b_sum, b_lost, b_terms)
    return b_sum, b_lost


@triton.jit
def half_statistics_of_blocks(
    scores,
    o_rows,
    m_rows,
    begin,
    end,
    K,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """(a score near the maximum, its exponent, 0, the sum of all terms, 0) of rows of many blocks of a half type.

    The first block's maximum gives the exponent; while the sum is finite, the row's maximum is not needed. Otherwise rows are read
    twice more, for the maximum and for the sum.
    """
    blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
    o_classes = tl.arange(0, BLOCK)
    b_x = load_tile(scores, o_rows, m_rows, begin + o_classes, K, float("-inf"), "evict_last")
    largest = tl.max(b_x, axis=1)
    exponent = exponent_of(largest)
    b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
    for i in tl.range(blocks, loop_unroll_factor=BLOCKS if BLOCKS > 0 else 1):
        b_x = load_tile(scores, o_rows, m_rows, begin + i * BLOCK + o_classes, K, float("-inf"), "evict_last")
        b_sum += sums_of_four(half_terms(b_x, exponent[:, None]), ROWS, BLOCK)
    total = tl.sum(b_sum, axis=1)
    m_near = (total < LARGEST_SUM) & (tl.abs(largest) <= LARGEST_UNSHIFTED)
    if tl.min(m_near.to(tl.int32), axis=0) == 0:
        b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
        for start in range(begin, end, BLOCK):
            b_x = load_tile(scores, o_rows, m_rows, start + o_classes, K, float("-inf"))
            b_best = tl.maximum(b_best, b_x)
        largest = tl.max(b_best, axis=1)
        exponent = exponent_of_row(largest)
        b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        for start in range(begin, end, BLOCK):
            b_x = load_tile(scores, o_rows, m_rows, start + o_classes, K, float("-inf"))
            b_sum += sums_of_four(terms_of_tile(b_x, largest, exponent, True), ROWS, BLOCK)
        total = tl.sum(b_sum, axis=1)
    max_term, others, others_low = without_separation(total, tl.zeros_like(total), largest)
    return largest, exponent, max_term, others, others_low


@triton.jit
def statistics_of_blocks(
    scores,
    o_rows,
    m_rows,
    begin,
    end,
    K,
    activation,
    IS_MAX_SEPARATE: tl.constexpr,
    IS_HALF: tl.constexpr,
    IS_READ_TWICE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The statistics of rows of many blocks, from one reading: every lane keeps its largest score out of its sum.

    The exponent is that of the first block's maximum. Rows whose maximum exceeds that by more than HEADROOM, or is far, are read once
    more. Rows that will be read twice (IS_READ_TWICE) stay in the cache.
    """
    EVICTION: tl.constexpr = "evict_last" if IS_READ_TWICE else ""
    o_classes = tl.arange(0, BLOCK)
    _, b_x = load_scores(scores, o_rows, m_rows, begin + o_classes, K, activation, EVICTION)
    reference = tl.max(b_x, axis=1)
    reference = tl.minimum(tl.maximum(reference, -2.0 * LARGEST_UNSHIFTED), LARGEST_UNSHIFTED)
    exponent = exponent_of(reference)
    b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
    b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK // 4], tl.float32)
    for start in range(begin, end, BLOCK):
        _, b_x = load_scores(
            scores,
            o_rows,
            m_rows,
            start + o_classes,
            K,
            activation,
            EVICTION,
        )
        b_counted = b_x
        if IS_MAX_SEPARATE:
            b_counted = tl.minimum(b_best, b_x, propagate_nan=tl.PropagateNan.ALL)
        b_best = tl.maximum(b_best, b_x, propagate_nan=tl.PropagateNan.ALL)
        b_sum, b_lost = add_block(b_sum, b_lost, terms(b_counted, exponent[:, None], IS_HALF), IS_HALF, ROWS, BLOCK)
    largest = tl.max(b_best, axis=1)
    b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
    if IS_MAX_SEPARATE:
        b_is_max = b_best == largest[:, None]
        b_ties = b_is_max.to(tl.int32)
        b_last = tl.where(b_is_max, 0.0, terms(b_best, exponent[:, None], IS_HALF))
        b_sum, b_lost = add_block(b_sum, b_lost, b_last, IS_HALF, ROWS, BLOCK)
    m_again = is_far(largest) | (largest - reference > HEADROOM)
    if tl.max(m_again.to(tl.int32), axis=0) > 0:
        exponent = tl.where(m_again, exponent_of_row(largest), exponent)
        b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
        for start in range(begin, end, BLOCK):
            _, b_x = load_scores(scores, o_rows, m_rows, start + o_classes, K, activation)
            b_terms = terms_of_tile(b_x, largest, exponent, IS_HALF)
            if IS_MAX_SEPARATE:
                b_is_max = b_x == largest[:, None]
                b_terms = tl.where(b_is_max, 0.0, b_terms)
                b_ties += b_is_max.to(tl.int32)
            b_sum, b_lost = add_block(b_sum, b_lost, b_terms, IS_HALF, ROWS, BLOCK)
    total, total_low = sum_of_row(b_sum, b_lost)
    if IS_MAX_SEPARATE:
        max_term = term_of(largest, largest, exponent, IS_HALF)
        max_term, others, others_low = with_max_separate(total, total_low, b_ties, largest, max_term)
    else:
        max_term, others, others_low = without_separation(total, total_low, largest)
    return largest, exponent, max_term, others, others_low
