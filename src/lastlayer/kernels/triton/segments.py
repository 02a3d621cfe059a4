"""Long rows shared among programs: each holds one segment in its registers, so that no score is read twice.

The programs of a row publish two numbers of their segments and wait for one another's; each then combines them in the same
order. What is published is one word of memory that was `EMPTY`, so that whoever sees it has all of it. A program waits for others
of its own row alone, whose numbers are next to its own, and devices begin programs in the order of their numbers: of the first
row that is not complete all programs run, or there is room for them to begin.

In one launch a program publishes, waits and finishes (`WHOLE`). The interpreter, which runs programs one after another, takes a
launch for each of the three steps.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton import launch
from lastlayer.kernels.triton.elementary import LARGEST
from lastlayer.kernels.triton.normalizer import (
    frame_of,
    is_far,
    of_any,
    statistics_of_tile,
    weight_of,
    weights,
    weights_of,
)
from lastlayer.kernels.triton.pairs import two_sum
from lastlayer.kernels.triton.tiles import load_scores, rows_of_program

FIRST, SECOND, LAST, WHOLE = (tl.constexpr(step) for step in (launch.FIRST, launch.SECOND, launch.LAST, launch.WHOLE))
ROUNDS, EMPTY = tl.constexpr(launch.ROUNDS), tl.constexpr(launch.EMPTY)
#: Segments whose maximum is this far below the row's have no weight in float32.
OUT_OF_REACH = tl.constexpr(256.0)


@triton.jit
def place_of_rows(segments, width, N, K, ROWS: tl.constexpr, SEGMENTS: tl.constexpr):
    """Where a program works: (rows, which exist, row, segment, begin, end); the last three of its classes."""
    program = tl.program_id(0)
    if SEGMENTS > 1:
        row, segment = (program // segments).to(tl.int64), program % segments
        begin = segment * width
        i_rows = row + tl.arange(0, 1)
        return i_rows, i_rows < N, row, segment, begin, tl.minimum(begin + width, K)
    else:
        i_rows, m_rows = rows_of_program(N, ROWS)
        return i_rows, m_rows, program.to(tl.int64), tl.full([], 0, tl.int32), 0, K


@triton.jit
def publish(words, row, segment, SEGMENTS: tl.constexpr, ROUND: tl.constexpr, first, second):
    """Two float32 numbers of a segment for the other programs of its row."""
    # Of the NaN of all bits the word would be empty.
    second = tl.where(second == second, second, float("nan"))
    high = first.to(tl.int32, bitcast=True).to(tl.int64) << 32
    low = second.to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF
    tl.store(words + (row * ROUNDS + ROUND) * SEGMENTS + segment, high | low)


@triton.jit
def collect(words, row, segments, SEGMENTS: tl.constexpr, ROUND: tl.constexpr, STEP: tl.constexpr, nothing):
    """The numbers of all segments; where there is no segment, `nothing` and zero."""
    i = tl.arange(0, SEGMENTS)
    m = i < segments
    o = words + (row * ROUNDS + ROUND) * SEGMENTS + i
    word = tl.load(o, mask=m, other=0, volatile=True)
    if STEP == WHOLE:
        while tl.min(tl.where(word == EMPTY, 0, 1), axis=0) == 0:
            word = tl.load(o, mask=m, other=0, volatile=True)
    first = (word >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    second = word.to(tl.int32).to(tl.float32, bitcast=True)
    return tl.where(m, first, nothing), tl.where(m, second, 0.0)


@triton.jit
def frame_of_maximum(largest):
    """The frame of a row, or of a segment, by its maximum."""
    return frame_of(tl.where(is_far(largest), 0.0, largest))


@triton.jit
def power_between(frame, other):
    """2^(frame − other) for frame ≤ other, zero where it is no normal number."""
    power = tl.maximum((frame - other).to(tl.int32), -127) + 127
    return (power << 23).to(tl.float32, bitcast=True)


@triton.jit
def statistics_of_segment(
    scores,
    o_rows,
    m_rows,
    o_classes,
    end,
    softcap,
    temperature,
    words,
    row,
    segment,
    segments,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    IS_APART: tl.constexpr,
    SEGMENTS: tl.constexpr,
    STEP: tl.constexpr,
):
    """(largest, frame, top, others, others_low) of a whole row, and of this segment, (1, BLOCK), the scores and their weights.

    Segments are weighed in frames of their own, which differ by powers of two. Rows whose maximum is far from zero, or whose
    segments lie on both sides of that, are weighed again once their maximum is known.
    """
    b_raw, b_x = load_scores(scores, o_rows, m_rows, o_classes, end, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
    row_own, _, _, row_others, row_low, b_weights = statistics_of_tile(b_x, IS_APART)
    own = tl.max(row_own, axis=0)
    if STEP == FIRST or STEP == WHOLE:  # noqa: SIM109
        publish(words, row, segment, SEGMENTS, 0, own, tl.sum(row_others + row_low, axis=0))
    maxima, terms = collect(words, row, segments, SEGMENTS, 0, STEP, float("-inf"))
    largest = tl.max(maxima, axis=0)
    frame = frame_of_maximum(largest)
    top = tl.where(IS_APART, weight_of(largest, largest, frame), 0.0)
    across = tl.max(tl.where(is_far(maxima) & (largest - maxima < OUT_OF_REACH), 1, 0), axis=0)
    if (across > 0) | (tl.abs(largest) > LARGEST):
        row_largest = largest + tl.zeros([1], tl.float32)
        # Read again, so that no other row keeps its scores for this.
        _raw, b_again = load_scores(
            scores, o_rows, m_rows, o_classes, end, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
        )
        b_weights = weights_of(b_again, row_largest, frame + tl.zeros([1], tl.float32))
        b_others, ties = b_weights, 0.0 * top
        if IS_APART:
            b_top = b_again == largest
            b_others = tl.where(b_top, 0.0, b_weights)
            ties = tl.sum(tl.sum(b_top.to(tl.int32), axis=1), axis=0).to(tl.float32)
        if STEP == SECOND or STEP == WHOLE:  # noqa: SIM109
            publish(words, row, segment, SEGMENTS, 1, ties, tl.sum(tl.sum(b_others, axis=1), axis=0))
        ties_of, terms = collect(words, row, segments, SEGMENTS, 1, STEP, 0.0)
        others, others_low = tl.sum(terms, axis=0), 0.0 * top
        if IS_APART:
            others, others_low = two_sum(others, (tl.sum(ties_of, axis=0) - 1.0) * top)
    else:
        scales = tl.where(is_far(maxima), 0.0, power_between(frame_of_maximum(maxima), frame))
        b_weights *= tl.where(is_far(own), 0.0, power_between(frame_of_maximum(own), frame))
        # A NaN stays, beside a scale of zero too.
        terms *= scales
        others, others_low = tl.sum(terms, axis=0), 0.0 * top
        if IS_APART:
            # The maxima of all segments but the first that has the largest are among the others.
            i = tl.arange(0, SEGMENTS)
            first = tl.min(tl.where(maxima == largest, i, SEGMENTS), axis=0)
            m_others = (i != first) & (scales > 0.0)
            tops = tl.where(m_others, weights(tl.where(m_others, maxima, 0.0), frame), 0.0)
            others, others_low = two_sum(others, tl.sum(tops, axis=0))
    of_row = of_any(largest) + tl.zeros([1], tl.float32)
    # An infinite sum has no low part.
    others_low = tl.where(tl.abs(others) == float("inf"), 0.0, others_low)
    return (
        largest + tl.zeros([1], tl.float32),
        frame + tl.zeros([1], tl.float32),
        top * of_row,
        others * of_row,
        others_low * of_row,
        b_raw,
        b_x,
        b_weights,
    )
