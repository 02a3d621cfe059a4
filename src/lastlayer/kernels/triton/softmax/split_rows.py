"""Rows that several programs share: each has a slice, publishes its statistics, waits for the others', and puts all together.

So a long row is read from memory once, and one row alone keeps more than one multiprocessor at work. Programs take slices by
ticket, in order, so that those at work always have all slices of all rows but the last one begun: none waits for ever while a
device holds as many programs at a time as a row has slices, which launch.py sees to. Slices are small enough that those of all
programs of a multiprocessor stay in its first cache until they are read again. The interpreter runs one program after another; there
a launch is two, PUBLISH and FINISH, and none waits.

What is published of a slice is `words` of 64 bits, each written and read whole: in its upper half the slice's largest score, in
its lower one a number: the others' weight in the frame of that score; what that sum has lost; the label's score, if it lies there.
Who waits reads the words themselves until all are there: no fence, and no second round trip. It reads them by atomic operations,
which one warp does for a program, or a few where there are more words than lanes; as loads every warp does them, and they take the
memory's time. That eight aligned bytes are written whole by a plain store, and seen, is what the hardware does beyond what PTX
promises; as exchanges they would take longer.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import power_of_two
from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.softmax.statistics import (
    frame_of_row,
    is_any_far,
    is_far,
    less_maximum,
    together,
    weight_of,
    weights,
    weights_of,
    with_ties,
)

#: The most words of a slice.
MOST_WORDS = 3
#: A word that is not published yet, and of a counter that nobody has a ticket of: both its halves are a NaN that `quiet` leaves out.
UNPUBLISHED = tl.constexpr(-1)
#: Where the first word lies, the counter being before it: not in the same line of a cache.
FIRST_WORD = tl.constexpr(16)
#: Which part of its work a program does.
WHOLE, PUBLISH, FINISH = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
NAN_BITS, INFINITY_BITS = tl.constexpr(0x7FC00000), tl.constexpr(0x7F800000)


@triton.jit
def take_ticket(published, PART: tl.constexpr):
    """The number of a slice that nobody has yet. The counter is the first word."""
    if PART == WHOLE:
        ticket = (tl.atomic_add(published, 1, sem="relaxed") - UNPUBLISHED).to(tl.int32)
    else:
        ticket = tl.program_id(0)
    return ticket


@triton.jit
def part_of_ticket(ticket, N, K, SLICES: tl.constexpr, SLICE: tl.constexpr):
    """(rows, which of them exist, first class, class after the last) of a ticket's slice."""
    i_rows = (ticket // SLICES).to(tl.int64) + tl.arange(0, 1)
    begin = ticket % SLICES * SLICE
    return i_rows, i_rows < N, begin, tl.minimum(begin + SLICE, K)


@triton.jit
def quiet(x):
    """The bits of a number; of every NaN the same."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where((bits & 0x7FFFFFFF) > INFINITY_BITS, NAN_BITS, bits)


@triton.jit
def packed(largest, number):
    """Two numbers as one word."""
    return (quiet(largest).to(tl.int64) << 32) | (quiet(number).to(tl.int64) & 0xFFFFFFFF)


@triton.jit
def publish(
    published, ticket, largest, frame, others, others_low, raw_label, SLICES: tl.constexpr, WORDS: tl.constexpr
):
    """Write what is known of a slice. Its frame may be that of any of its scores."""
    power = power_of_two((frame - frame_of_row(largest)).to(tl.int32) + 127)
    place = (
        published + FIRST_WORD + (ticket // SLICES).to(tl.int64) * (SLICES * WORDS) + ticket % SLICES + tl.arange(0, 1)
    )
    tl.store(place, packed(largest, others * power))
    if WORDS > 1:
        tl.store(place + SLICES, packed(largest, others_low * power))
    if WORDS > 2:
        tl.store(place + 2 * SLICES, packed(largest, raw_label))


@triton.jit
def wait_for_words(place, m):
    """The words of a row once all are published, as tiles of their halves."""
    b_none = tl.zeros(place.shape, tl.int64)
    b_words = tl.full(place.shape, UNPUBLISHED, tl.int64)
    while tl.max((m & (b_words == UNPUBLISHED)).to(tl.int32)) > 0:
        b_words = tl.atomic_add(place, b_none, mask=m, sem="relaxed")
    b_upper = (b_words >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    b_lower = b_words.to(tl.int32).to(tl.float32, bitcast=True)
    return tl.where(m, b_upper, float("-inf")), tl.where(m, b_lower, 0.0)


@triton.jit
def powers_of(b_largest, frame):
    """Two powers of two that bring the weights of slices into the frame of a row that is not far. Of a far slice nothing counts.

    Two, since the weight of a slice whose scores are low may be a number where the power is none.
    """
    # Of a far slice both are zero: a zero alone, times a power that overflows, is no number.
    power = tl.where(is_far(b_largest), -1024, (frame_of_row(b_largest) - frame).to(tl.int32))
    return power_of_two((power >> 1) + 127), power_of_two(power - (power >> 1) + 127)


@triton.jit
def scale_of(b_largest, largest, frame, IS_HALF: tl.constexpr):
    """Two factors that bring the weights of slices into the frame of any row."""
    first, second = powers_of(b_largest, frame)
    if is_any_far(tl.max(largest, axis=1)):
        shifted = weights(less_maximum(b_largest, largest), tl.zeros_like(largest), IS_HALF)
        top = weight_of(b_largest, b_largest, frame_of_row(b_largest), IS_HALF)
        first = tl.where(b_largest == float("-inf"), 0.0, tl.div_rn(shifted, top))
        second = tl.full(first.shape, 1.0, tl.float32)
    return first, second


@triton.jit
def anew(number):
    """The one number of a tensor, laid out as whoever uses it likes: never so that a whole tile is laid out to fit it."""
    return tl.full([1], tl.sum(number, axis=0), tl.float32)


@triton.jit
def statistics_of_slices(
    published,
    ticket,
    IS_APART: tl.constexpr,
    IS_HALF: tl.constexpr,
    SLICES: tl.constexpr,
    PAD: tl.constexpr,
    WORDS: tl.constexpr,
):
    """(largest, frame, top, others, others_low, the label's score) of a ticket's row once its slices are published."""
    LANES: tl.constexpr = PAD * (WORDS if WORDS < 3 else 4)
    o = tl.arange(0, LANES)[None, :]
    place = published + FIRST_WORD + (ticket // SLICES).to(tl.int64) * (SLICES * WORDS) + o
    b_largest, b_number = wait_for_words(place, o < SLICES * WORDS)
    largest = tl.max(b_largest, axis=1)
    frame = frame_of_row(largest)
    b_first, b_second = scale_of(b_largest, largest[:, None], frame[:, None], IS_HALF)
    b_scaled = b_number * b_first * b_second
    if WORDS == 1 and not IS_APART:
        total = tl.sum(b_scaled, axis=1)
        top, others, others_low = together(total, tl.zeros_like(total), largest)
        return anew(largest), anew(frame), anew(top), anew(others), anew(others_low), anew(largest)
    b_sum = tl.where(o < SLICES, b_scaled, 0.0)
    b_lost = tl.where((o >= SLICES) & (o < 2 * SLICES), b_scaled, 0.0)
    if IS_APART:
        b_top = (b_largest == largest[:, None]) & (o < SLICES)
        b_low = weights_of(tl.where(b_top | (o >= SLICES), float("-inf"), b_largest), largest, frame, IS_HALF)
        b_sum, b_lost = accumulate(b_sum, b_lost, b_low)
        others, others_low = sum_of_row(b_sum, b_lost)
        top = weight_of(largest, largest, frame, IS_HALF)
        top, others, others_low = with_ties(others, others_low, b_top.to(tl.int32), largest, top)
    else:
        total, total_low = sum_of_row(b_sum, b_lost)
        top, others, others_low = together(total, total_low, largest)
    label = anew(tl.max(tl.where((o >= 2 * SLICES) & (o < 3 * SLICES), b_number, float("-inf")), axis=1))
    return anew(largest), anew(frame), anew(top), anew(others), anew(others_low), label


@triton.jit
def weights_in_row(b_weights, slice_largest, frame):
    """The weights of a slice of one block brought into the frame of its row, which is not far."""
    first, second = powers_of(anew(slice_largest)[:, None], frame[:, None])
    return b_weights * first * second
