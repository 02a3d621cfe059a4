"""Softmax's row statistics: the largest score, its weight, and the sum of the *others'* weights as a pair.

A weight is e^x / 2^(frame − LIFT), the frame being the exponent of a score near the largest: exact where x − max would be
rounded, and its rounding come back as a relative error. Scores so large that they have no such exponent are shifted by the
maximum, exactly. The largest class is kept apart from the sum of the others, since log p and 1 − p of a confident class are
made of the others alone and must not vanish in 1 + others. Where only the probabilities are wanted it is not: then `top` is zero
and the others are all.

For results that are rounded to a half type (IS_HALF) the weights are the hardware's 2^x in the same frame: within 2^−16 of
themselves for whatever such a result can tell from zero.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import (
    LARGEST,
    LN2,
    LN2_REST,
    LOG2_E,
    SHIFT,
    exponential_near_zero,
)
from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row, two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores, load_tile

#: Weights are carried times 2^LIFT, so that those of the smallest that matter have all their bits.
LIFT = tl.constexpr(48)
#: Exponents below the frame's at which scores are cut off: 2^−172 of the largest is nothing in float32, and 2^(LIFT − 172) is
#: still a normal number.
REACH = tl.constexpr(172.0)
#: A first block's maximum may lie this far below the row's: e^38 · 2^LIFT · 2^20 classes is still a number.
HEADROOM = tl.constexpr(38.0)
#: The most that a half type's row may weigh in the frame of its first block: that of many such is a number still.
MOST_WEIGHT = tl.constexpr(2.0**100)
#: The largest float32. Beside +∞ it counts as infinite too.
GREATEST = tl.constexpr(3.4028234663852886e38)


@triton.jit
def is_far(largest):
    """Whether a row's maximum is too far from zero, or infinite."""
    return tl.abs(largest) > LARGEST


@triton.jit
def is_any_far(largest):
    """Whether one of a program's rows is."""
    return tl.max(is_far(largest).to(tl.int32), axis=0) > 0


@triton.jit
def less_maximum(x, largest):
    """x − max, exact within reach of a far maximum: 0 at +∞, −∞ throughout a row of it; a NaN stays."""
    return tl.where(x > GREATEST, GREATEST, x) - tl.maximum(tl.minimum(largest, GREATEST), -GREATEST)


@triton.jit
def near_zero(b_x, largest):
    """The scores of far rows less their maximum; others as they are."""
    if is_any_far(largest):
        b_x = tl.where(is_far(largest)[:, None], less_maximum(b_x, largest[:, None]), b_x)
    return b_x


@triton.jit
def frame_of(score):
    """The exponent of e^score, a whole number, which fits the frame of a row whose scores are near it."""
    return tl.fma(score, LOG2_E, SHIFT) - SHIFT


@triton.jit
def frame_of_row(largest):
    """The frame of a row of this maximum; of a far row that of the maximum less itself."""
    return frame_of(tl.where(is_far(largest), 0.0, largest))


@triton.jit
def weights(b_x, frame, IS_HALF: tl.constexpr):
    """e^x · 2^LIFT in the frame, nothing that counts below its reach; a NaN stays."""
    return half_weights(b_x, frame) if IS_HALF else float_weights(b_x, frame)


@triton.jit
def half_weights(b_x, frame):
    """The same to a half type's digits: the frame is whole, so that one rounding is all there is before the power of two."""
    return tl.exp2(tl.fma(b_x, LOG2_E, LIFT - frame))


@triton.jit
def float_weights(b_x, frame):
    """The same within 0.8 ULP."""
    # Adding `shift` to x·log₂e leaves the weight's own exponent, biased, in the last bits of the sum.
    shift = (SHIFT + (127 + LIFT)) - frame
    floor = (frame - REACH) * LN2
    b_x = tl.maximum(b_x, floor, propagate_nan=tl.PropagateNan.ALL)
    b_shifted = tl.fma(b_x, LOG2_E, shift)
    b_k = b_shifted - shift
    b_r = tl.fma(b_k, -LN2_REST, tl.fma(b_k, -LN2, b_x))
    b_scale = (b_shifted.to(tl.int32, bitcast=True) << 23).to(tl.float32, bitcast=True)
    return exponential_near_zero(b_r) * b_scale


@triton.jit
def weights_of(b_x, largest, frame, IS_HALF: tl.constexpr):
    """The weights of a tile of a row whose statistics are known."""
    return weights(near_zero(b_x, largest), frame[:, None], IS_HALF)


@triton.jit
def weight_of(x, largest, frame, IS_HALF: tl.constexpr):
    """The weight of one score of each row."""
    return weights(tl.where(is_far(largest), less_maximum(x, largest), x), frame, IS_HALF)


@triton.jit
def of_any(largest):
    """One, but zero for rows of nothing above −∞: what weight they have is that of scores that were cut off."""
    return tl.where(largest == float("-inf"), 0.0, 1.0)


@triton.jit
def with_ties(others, others_low, b_ties, largest, top):
    """The weight of the maximum, and the others' as a pair: all but one of the classes that weigh as much belong to them."""
    ties = tl.sum(b_ties, axis=1) - 1
    others, lost = two_sum(others, ties.to(tl.float32) * top)
    scale = of_any(largest)
    return top * scale, others * scale, (others_low + lost) * scale


@triton.jit
def together(total, total_low, largest):
    """The same where the largest is among the others: nothing, and the sum of all as a pair."""
    scale = of_any(largest)
    return tl.zeros_like(total), total * scale, total_low * scale


@triton.jit
def statistics_of_tile(b_x, IS_APART: tl.constexpr, IS_HALF: tl.constexpr):
    """(largest, frame, top, others, others_low) of rows that lie in one tile, and their weights."""
    largest = tl.max(b_x, axis=1)
    frame = frame_of_row(largest)
    b_weights = weights_of(b_x, largest, frame, IS_HALF)
    if IS_APART:
        top = weight_of(largest, largest, frame, IS_HALF)
        # By weights, so that scores need no registers beside them. A NaN is among the others.
        b_top = b_weights == top[:, None]
        others = tl.sum(tl.where(b_top, 0.0, b_weights), axis=1)
        top, others, others_low = with_ties(others, 0.0 * top, b_top.to(tl.int32), largest, top)
    else:
        total = tl.sum(b_weights, axis=1)
        top, others, others_low = together(total, tl.zeros_like(total), largest)
    return largest, frame, top, others, others_low, b_weights


@triton.jit
def folded(b_terms, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """The sums of each four terms side by side, which one thread holds: what is exact costs more than they do."""
    return tl.sum(tl.reshape(b_terms, [ROWS, BLOCK // 4, 4]), axis=2)


@triton.jit
def add_up(b_sum, b_lost, b_terms, IS_HALF: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Running sums and one block more of terms; for a half type's digits plain ones."""
    b_terms = folded(b_terms, ROWS, BLOCK)
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
    """(a score near the largest, its frame, 0, the weight of all, 0) of many blocks of classes of rows of a half type.

    The first block's maximum is near enough while the weight of all is a number: nobody has to know the largest. Else rows are read
    twice more, for the largest and for the sum.
    """
    blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
    o_classes = tl.arange(0, BLOCK)
    b_x = load_tile(scores, o_rows, m_rows, begin + o_classes, K, float("-inf"), "evict_last")
    largest = tl.max(b_x, axis=1)
    frame = frame_of(largest)
    b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
    for i in tl.range(blocks, loop_unroll_factor=BLOCKS if BLOCKS > 0 else 1):
        b_x = load_tile(scores, o_rows, m_rows, begin + i * BLOCK + o_classes, K, float("-inf"), "evict_last")
        b_sum += folded(half_weights(b_x, frame[:, None]), ROWS, BLOCK)
    total = tl.sum(b_sum, axis=1)
    m_near = (total < MOST_WEIGHT) & (tl.abs(largest) <= LARGEST)
    if tl.min(m_near.to(tl.int32), axis=0) == 0:
        b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
        for start in range(begin, end, BLOCK):
            b_x = load_tile(scores, o_rows, m_rows, start + o_classes, K, float("-inf"))
            b_best = tl.maximum(b_best, b_x)
        largest = tl.max(b_best, axis=1)
        frame = frame_of_row(largest)
        b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        for start in range(begin, end, BLOCK):
            b_x = load_tile(scores, o_rows, m_rows, start + o_classes, K, float("-inf"))
            b_sum += folded(weights_of(b_x, largest, frame, True), ROWS, BLOCK)
        total = tl.sum(b_sum, axis=1)
    top, others, others_low = together(total, tl.zeros_like(total), largest)
    return largest, frame, top, others, others_low


@triton.jit
def statistics_of_blocks(
    scores,
    o_rows,
    m_rows,
    begin,
    end,
    K,
    softcap,
    temperature,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    IS_APART: tl.constexpr,
    IS_HALF: tl.constexpr,
    IS_READ_TWICE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The same of many blocks of classes of rows, from one reading: every lane keeps its largest score apart from its sum.

    Where they will be read twice they stay in the cache. The frame is that of the first block's maximum. Rows whose maximum leaves
    its headroom, or is far, are read once more.
    """
    EVICTION: tl.constexpr = "evict_last" if IS_READ_TWICE else ""
    o_classes = tl.arange(0, BLOCK)
    _, b_x = load_scores(
        scores, o_rows, m_rows, begin + o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE, EVICTION
    )
    reference = tl.max(b_x, axis=1)
    reference = tl.minimum(tl.maximum(reference, -2.0 * LARGEST), LARGEST)
    frame = frame_of(reference)
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
            softcap,
            temperature,
            HAS_SOFTCAP,
            HAS_TEMPERATURE,
            EVICTION,
        )
        b_counted = b_x
        if IS_APART:
            b_counted = tl.minimum(b_best, b_x, propagate_nan=tl.PropagateNan.ALL)
        b_best = tl.maximum(b_best, b_x, propagate_nan=tl.PropagateNan.ALL)
        b_sum, b_lost = add_up(b_sum, b_lost, weights(b_counted, frame[:, None], IS_HALF), IS_HALF, ROWS, BLOCK)
    largest = tl.max(b_best, axis=1)
    b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
    if IS_APART:
        b_top = b_best == largest[:, None]
        b_ties = b_top.to(tl.int32)
        b_last = tl.where(b_top, 0.0, weights(b_best, frame[:, None], IS_HALF))
        b_sum, b_lost = add_up(b_sum, b_lost, b_last, IS_HALF, ROWS, BLOCK)
    m_again = is_far(largest) | (largest - reference > HEADROOM)
    if tl.max(m_again.to(tl.int32), axis=0) > 0:
        frame = tl.where(m_again, frame_of_row(largest), frame)
        b_sum = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK // 4], tl.float32)
        b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
        for start in range(begin, end, BLOCK):
            _, b_x = load_scores(
                scores, o_rows, m_rows, start + o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
            )
            b_terms = weights_of(b_x, largest, frame, IS_HALF)
            if IS_APART:
                b_top = b_x == largest[:, None]
                b_terms = tl.where(b_top, 0.0, b_terms)
                b_ties += b_top.to(tl.int32)
            b_sum, b_lost = add_up(b_sum, b_lost, b_terms, IS_HALF, ROWS, BLOCK)
    total, total_low = sum_of_row(b_sum, b_lost)
    if IS_APART:
        top = weight_of(largest, largest, frame, IS_HALF)
        top, others, others_low = with_ties(total, total_low, b_ties, largest, top)
    else:
        top, others, others_low = together(total, total_low, largest)
    return largest, frame, top, others, others_low
