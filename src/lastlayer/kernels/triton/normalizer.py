"""Softmax's row statistics: the largest score, its weight, and the sum of the *others'* weights as a pair.

A weight is e^x / 2^(frame − LIFT), the frame being the exponent of a score near the largest: exact where x − max would be
rounded, and its rounding come back as a relative error. Scores so large that they have no such exponent are shifted by the
maximum, exactly. The largest class is kept apart from the sum of the others, since log p and 1 − p of a confident class are
made of the others alone and must not vanish in 1 + others.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.elementary import (
    LARGEST,
    LOG2_E,
    SHIFT,
    exponential_tail,
    power_of_two,
    reduce_argument,
)
from lastlayer.kernels.triton.pairs import accumulate, sum_of_row, two_sum
from lastlayer.kernels.triton.tiles import load_scores

#: Weights are carried times 2^LIFT, so that those of the smallest that matter have all their bits.
LIFT = tl.constexpr(48)
#: A first block's maximum may lie this far below the row's: e^38 · 2^LIFT · 2^20 classes is still a number.
HEADROOM = tl.constexpr(38.0)
#: The largest float32. Beside +∞ it counts as infinite too.
GREATEST = tl.constexpr(3.4028234663852886e38)


@triton.jit
def is_far(largest):
    """Whether a row's maximum is too far from zero, or infinite."""
    return tl.abs(largest) > LARGEST


@triton.jit
def less_maximum(x, largest):
    """x − max, exact within reach of a far maximum: 0 at +∞, −∞ throughout a row of it; a NaN stays."""
    return tl.where(x > GREATEST, GREATEST, x) - tl.maximum(tl.minimum(largest, GREATEST), -GREATEST)


@triton.jit
def near_zero(b_x, largest):
    """The scores of far rows less their maximum; others as they are."""
    m_far = is_far(largest)
    if tl.max(m_far.to(tl.int32), axis=0) > 0:
        b_x = tl.where(m_far[:, None], less_maximum(b_x, largest[:, None]), b_x)
    return b_x


@triton.jit
def frame_of(score):
    """The bits whose last ones hold the exponent of e^score."""
    return tl.fma(score, LOG2_E, SHIFT).to(tl.int32, bitcast=True)


@triton.jit
def weights(b_x, frame):
    """e^x · 2^LIFT in the frame, zero below its reach; a NaN stays."""
    r, shifted = reduce_argument(tl.where(b_x < -2.0 * LARGEST, -2.0 * LARGEST, b_x))
    power = shifted.to(tl.int32, bitcast=True) - frame + (127 + LIFT)
    return (exponential_tail(r) + 1.0) * power_of_two(power)


@triton.jit
def weights_of(b_x, largest, frame):
    """The weights of a tile of a row whose statistics are known."""
    return weights(near_zero(b_x, largest), frame[:, None])


@triton.jit
def weight_of(x, largest, frame):
    """The weight of one score of each row."""
    return weights(tl.where(is_far(largest), less_maximum(x, largest), x), frame)


@triton.jit
def finish(b_sum, b_lost, b_ties, largest, frame):
    """The weight of the maximum, and the others' as a pair: all but one of the classes at the maximum belong to them."""
    top = weight_of(largest, largest, frame)
    others, others_low = sum_of_row(b_sum, b_lost)
    ties = tl.sum(b_ties, axis=1) - 1
    others, lost = two_sum(others, ties.to(tl.float32) * top)
    return top, others, others_low + lost


@triton.jit
def statistics_of_tile(b_x):
    """(largest, frame, top, others, others_low) of rows that lie in one tile, and their weights."""
    largest = tl.max(b_x, axis=1)
    frame = frame_of(tl.where(is_far(largest), 0.0, largest))
    b_weights = weights_of(b_x, largest, frame)
    b_top = b_x == largest[:, None]
    # Written so that a NaN is among the others.
    b_others = tl.where(b_top, 0.0, b_weights)
    top, others, others_low = finish(b_others, tl.zeros_like(b_others), b_top.to(tl.int32), largest, frame)
    return largest, frame, top, others, others_low, b_weights


@triton.jit
def statistics_of_blocks(
    scores,
    o_rows,
    m_rows,
    K,
    softcap,
    temperature,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The same of rows of many blocks, from one reading: every lane keeps its largest score apart from its sum.

    The frame is that of the first block's maximum. Rows whose maximum leaves its headroom, or is far, are read once more.
    """
    o_classes = tl.arange(0, BLOCK)
    _, b_x = load_scores(scores, o_rows, m_rows, o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
    reference = tl.max(b_x, axis=1)
    reference = tl.minimum(tl.maximum(reference, -2.0 * LARGEST), LARGEST)
    frame = frame_of(reference)
    b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
    b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    for start in range(0, K, BLOCK):
        _, b_x = load_scores(
            scores, o_rows, m_rows, start + o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
        )
        # Written so that a NaN goes into the sum.
        b_is_new = b_x > b_best
        b_other = tl.where(b_is_new, b_best, b_x)
        b_best = tl.where(b_is_new, b_x, b_best)
        b_sum, b_lost = accumulate(b_sum, b_lost, weights(b_other, frame[:, None]))
    largest = tl.max(b_best, axis=1)
    m_again = is_far(largest) | (largest - reference > HEADROOM)
    b_top = b_best == largest[:, None]
    b_ties = b_top.to(tl.int32)
    b_sum, b_lost = accumulate(b_sum, b_lost, tl.where(b_top, 0.0, weights(b_best, frame[:, None])))
    if tl.max(m_again.to(tl.int32), axis=0) > 0:
        frame = tl.where(m_again, frame_of(tl.where(is_far(largest), 0.0, largest)), frame)
        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
        for start in range(0, K, BLOCK):
            _, b_x = load_scores(
                scores, o_rows, m_rows, start + o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
            )
            b_top = b_x == largest[:, None]
            b_sum, b_lost = accumulate(b_sum, b_lost, tl.where(b_top, 0.0, weights_of(b_x, largest, frame)))
            b_ties += b_top.to(tl.int32)
    top, others, others_low = finish(b_sum, b_lost, b_ties, largest, frame)
    return largest, frame, top, others, others_low
