"""Rows that several programs share: each has a slice, publishes its statistics, waits for the others', and puts all together.

So a long row is read once, or twice from the cache, and one row alone keeps more than one multiprocessor at work. Programs take
slices by ticket, in order, so that those at work always have all slices of all rows but the last one begun: none waits for ever
while a device holds as many programs at a time as a row has slices, which launch.py sees to. The interpreter runs one program after
another; there a launch is two, PUBLISH and FINISH, and none waits.

A slice lies in memory as `FIELDS` numbers: its largest score, the frame of its weights, the weight of the largest in it, the
others' as a pair, and the label's score where it is in the slice.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.elementary import LOG2_E, power_of_two
from lastlayer.kernels.triton.normalizer import (
    frame_of,
    is_any_far,
    is_far,
    less_maximum,
    together,
    weight_of,
    weights,
    weights_of,
    with_ties,
)
from lastlayer.kernels.triton.pairs import accumulate, sum_of_row
from lastlayer.kernels.triton.tiles import load_scores, rows_of_program

FIELDS = tl.constexpr(6)
#: Which part of its work a program does.
WHOLE, PUBLISH, FINISH = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)


@triton.jit
def part_of_rows(counters, N, K, SLICES: tl.constexpr, SLICE: tl.constexpr, PART: tl.constexpr, ROWS: tl.constexpr):
    """(row, slice, rows, which of them exist, which it answers for, first class, class after the last) of this program."""
    if SLICES == 1:
        row, i_slice, begin, end = 0, 0, 0, K
        i_rows, m_rows = rows_of_program(N, ROWS)
        m_own = m_rows
    else:
        ticket = tl.atomic_add(counters, 1, sem="relaxed") if PART == WHOLE else tl.program_id(0)
        row, i_slice = ticket // SLICES, ticket % SLICES
        i_rows = row.to(tl.int64) + tl.arange(0, ROWS)
        m_rows = i_rows < N
        m_own = i_rows * SLICES == ticket
        begin = i_slice * SLICE
        end = tl.minimum(begin + SLICE, K)
    return row, i_slice, i_rows, m_rows, m_own, begin, end


@triton.jit
def publish(
    published, row, i_slice, largest, frame, others, others_low, raw_label, SLICES: tl.constexpr, IS_HALF: tl.constexpr
):
    """Write what is known of a slice."""
    place = published + row.to(tl.int64) * (FIELDS * SLICES) + i_slice + tl.arange(0, 1)
    tl.store(place, largest)
    tl.store(place + SLICES, frame)
    tl.store(place + 2 * SLICES, weight_of(largest, largest, frame, IS_HALF))
    tl.store(place + 3 * SLICES, others)
    tl.store(place + 4 * SLICES, others_low)
    tl.store(place + 5 * SLICES, raw_label)


@triton.jit
def wait_for_row(counters, row, SLICES: tl.constexpr):
    """Go on when all slices of a row are published; what was written before them is to be seen then."""
    counter = counters + 1 + row
    tl.debug_barrier()
    tl.atomic_add(counter, 1, sem="release")
    while tl.atomic_add(counter, 0, sem="acquire") < SLICES:
        pass


@triton.jit
def scale_of(slice_largest, slice_frame, slice_top, largest, frame, IS_HALF: tl.constexpr):
    """Two factors that bring the weights of slices into the row's frame: of a power of two unless the row is far.

    Two, since the weight of a slice whose scores are low may be a number where the power is none.
    """
    if IS_HALF:
        first = tl.exp2((slice_frame - frame) * (0.5 * LOG2_E))
        second = first
    else:
        power = (slice_frame - frame).to(tl.int32)
        first = power_of_two((power >> 1) + 127)
        second = power_of_two(power - (power >> 1) + 127)
    # Of a slice far below a row that is not, nothing counts.
    first = tl.where(is_far(slice_largest), 0.0, first)
    if is_any_far(tl.max(largest, axis=1)):
        shifted = weights(less_maximum(slice_largest, largest), tl.zeros_like(largest), IS_HALF)
        first = tl.where(slice_largest == float("-inf"), 0.0, tl.div_rn(shifted, slice_top))
        second = tl.full(first.shape, 1.0, tl.float32)
    return first, second


@triton.jit
def anew(number):
    """The one number of a tensor, laid out as whoever uses it likes: never so that a whole tile is laid out to fit it."""
    return tl.full([1], tl.sum(number, axis=0), tl.float32)


@triton.jit
def statistics_of_slices(
    counters,
    published,
    row,
    i_slice,
    IS_APART: tl.constexpr,
    IS_HALF: tl.constexpr,
    SLICES: tl.constexpr,
    PAD: tl.constexpr,
    PART: tl.constexpr,
):
    """(largest, frame, top, others, others_low) of a row once its slices are published, a slice's scales, the label's score."""
    if PART == WHOLE:
        wait_for_row(counters, row, SLICES)
    o = tl.arange(0, PAD)[None, :]
    m = o < SLICES
    place = published + row.to(tl.int64) * (FIELDS * SLICES) + o
    # Never from the cache of a multiprocessor, which may hold what was there before.
    b_largest = tl.load(place, mask=m, other=float("-inf"), cache_modifier=".cg")
    b_frame = tl.load(place + SLICES, mask=m, other=0.0, cache_modifier=".cg")
    b_top = tl.load(place + 2 * SLICES, mask=m, other=1.0, cache_modifier=".cg")
    b_others = tl.load(place + 3 * SLICES, mask=m, other=0.0, cache_modifier=".cg")
    b_low = tl.load(place + 4 * SLICES, mask=m, other=0.0, cache_modifier=".cg")
    b_label = tl.load(place + 5 * SLICES, mask=m, other=float("-inf"), cache_modifier=".cg")
    largest = tl.max(b_largest, axis=1)
    frame = frame_of(tl.where(is_far(largest), 0.0, largest), IS_HALF)
    b_first, b_second = scale_of(b_largest, b_frame, b_top, largest[:, None], frame[:, None], IS_HALF)
    b_sum, b_lost = b_others * b_first * b_second, b_low * b_first * b_second
    if IS_APART:
        m_top = (b_largest == largest[:, None]) & m
        b_sum, b_lost = accumulate(b_sum, b_lost, tl.where(m_top, 0.0, b_top * b_first * b_second))
        others, others_low = sum_of_row(b_sum, b_lost)
        top = weight_of(largest, largest, frame, IS_HALF)
        top, others, others_low = with_ties(others, others_low, m_top.to(tl.int32), largest, top)
    else:
        total, total_low = sum_of_row(b_sum, b_lost)
        top, others, others_low = together(total, total_low, largest)
    first = anew(tl.sum(tl.where(o == i_slice, b_first, 0.0), axis=1))
    second = anew(tl.sum(tl.where(o == i_slice, b_second, 0.0), axis=1))
    label = anew(tl.max(b_label, axis=1))
    return anew(largest), anew(frame), anew(top), anew(others), anew(others_low), first, second, label


@triton.jit
def weights_in_row(
    b_weights,
    first,
    second,
    largest,
    frame,
    scores,
    o_rows,
    m_rows,
    o_classes,
    K,
    softcap,
    temperature,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    IS_HALF: tl.constexpr,
):
    """The weights of a slice of one block brought into the row's frame; of a far row's weighed anew, since no power of two does."""
    if is_any_far(largest):
        _, b_x = load_scores(scores, o_rows, m_rows, o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
        b_weights = weights_of(b_x, largest, frame, IS_HALF)
    else:
        b_weights = b_weights * first[:, None] * second[:, None]
    return b_weights
