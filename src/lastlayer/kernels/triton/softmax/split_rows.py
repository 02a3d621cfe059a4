"""Long rows split over several programs: each publishes the statistics of its slice, waits for the others', and combines them all.

So a long row is read from memory once, and a single row keeps more than one multiprocessor busy.

Deadlock: programs take slices by ticket, in order. So the programs that run hold all slices of all rows but the last one begun, and
none waits for ever while the device holds as many programs at a time as a row has slices. launch.py sees to that.

Caches: slices are small enough that those of all programs of a multiprocessor stay in its L1 cache until they are read again.

Words: a slice publishes `words` of 64 bits, each written and read whole. The upper half is the slice's maximum, the lower half a
number: the sum of the other terms at the exponent of that maximum; the low part of that sum; the label's score if it is in the slice.
A waiting program polls the words themselves, so it needs no fence and no second round trip. It polls by atomic operations, which one
warp does for the program (a few warps if there are more words than lanes); plain loads would be done by every warp, and take memory
bandwidth. That a plain store writes eight aligned bytes whole, and that they become visible, is what the hardware does beyond what
PTX promises; atomic exchanges would be slower.

The interpreter runs one program after another. There a launch is two, PUBLISH and FINISH, and none waits.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import power_of_two
from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.softmax.statistics import (
    exponent_of_row,
    is_any_far,
    is_far,
    less_maximum,
    term_of,
    terms,
    terms_of_tile,
    with_max_separate,
    without_separation,
)

#: A slice publishes at most this many words.
MOST_WORDS = 3
#: A word that is not published yet, and the counter before the first ticket. Its halves are a NaN that `canonical_bits` never returns.
UNPUBLISHED = tl.constexpr(-1)
#: Index of the first published word. The counter is word 0, in another cache line.
FIRST_WORD = tl.constexpr(16)
#: The phases of a launch: everything, or one of the two for the interpreter.
WHOLE, PUBLISH, FINISH = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
NAN_BITS, INFINITY_BITS = tl.constexpr(0x7FC00000), tl.constexpr(0x7F800000)


@triton.jit
def take_ticket(published, PHASE: tl.constexpr):
    """The index of a slice that no program has taken yet."""
    if PHASE == WHOLE:
        ticket = (tl.atomic_add(published, 1, sem="relaxed") - UNPUBLISHED).to(tl.int32)
    else:
        ticket = tl.program_id(0)
    return ticket


@triton.jit
def span_of_ticket(ticket, N, K, SLICES: tl.constexpr, SLICE: tl.constexpr):
    """A ticket's slice as a span: (rows, mask of rows, first class, class after the last)."""
    i_rows = (ticket // SLICES).to(tl.int64) + tl.arange(0, 1)
    begin = ticket % SLICES * SLICE
    return i_rows, i_rows < N, begin, tl.minimum(begin + SLICE, K)


@triton.jit
def canonical_bits(x):
    """The bits of a number; the same bits for every NaN."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where((bits & 0x7FFFFFFF) > INFINITY_BITS, NAN_BITS, bits)


@triton.jit
def pack(largest, number):
    """Two numbers as one word."""
    return (canonical_bits(largest).to(tl.int64) << 32) | (canonical_bits(number).to(tl.int64) & 0xFFFFFFFF)


@triton.jit
def publish(
    published, ticket, largest, exponent, others, others_low, raw_label, SLICES: tl.constexpr, WORDS: tl.constexpr
):
    """Publish a slice's statistics, rescaled from its exponent to that of its maximum."""
    scale = power_of_two((exponent - exponent_of_row(largest)).to(tl.int32) + 127)
    place = (
        published + FIRST_WORD + (ticket // SLICES).to(tl.int64) * (SLICES * WORDS) + ticket % SLICES + tl.arange(0, 1)
    )
    tl.store(place, pack(largest, others * scale))
    if WORDS > 1:
        tl.store(place + SLICES, pack(largest, others_low * scale))
    if WORDS > 2:
        tl.store(place + 2 * SLICES, pack(largest, raw_label))


@triton.jit
def wait_for_words(place, m):
    """Poll until all words of a row are published; their halves as two tiles."""
    b_none = tl.zeros(place.shape, tl.int64)
    b_words = tl.full(place.shape, UNPUBLISHED, tl.int64)
    while tl.max((m & (b_words == UNPUBLISHED)).to(tl.int32)) > 0:
        b_words = tl.atomic_add(place, b_none, mask=m, sem="relaxed")
    b_upper = (b_words >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    b_lower = b_words.to(tl.int32).to(tl.float32, bitcast=True)
    return tl.where(m, b_upper, float("-inf")), tl.where(m, b_lower, 0.0)


@triton.jit
def powers_of(b_largest, exponent):
    """Two powers of two whose product rescales slices' terms to the exponent of a row that is not far; 0 for far slices.

    Two, since one power of two may overflow or underflow where the rescaled term does not.
    """
    # Both are zero for a far slice: one zero times a power that overflows would be NaN.
    power = tl.where(is_far(b_largest), -1024, (exponent_of_row(b_largest) - exponent).to(tl.int32))
    return power_of_two((power >> 1) + 127), power_of_two(power - (power >> 1) + 127)


@triton.jit
def scale_of(b_largest, largest, exponent, IS_HALF: tl.constexpr):
    """Two factors that rescale slices' terms to the exponent of any row."""
    first, second = powers_of(b_largest, exponent)
    if is_any_far(tl.max(largest, axis=1)):
        shifted = terms(less_maximum(b_largest, largest), tl.zeros_like(largest), IS_HALF)
        max_term = term_of(b_largest, b_largest, exponent_of_row(b_largest), IS_HALF)
        first = tl.where(b_largest == float("-inf"), 0.0, tl.div_rn(shifted, max_term))
        second = tl.full(first.shape, 1.0, tl.float32)
    return first, second


@triton.jit
def reset_layout(number):
    """The single number of a tensor, with a fresh layout. Otherwise the compiler may convert whole tiles to this tensor's layout."""
    return tl.full([1], tl.sum(number, axis=0), tl.float32)


@triton.jit
def statistics_of_slices(
    published,
    ticket,
    IS_MAX_SEPARATE: tl.constexpr,
    IS_HALF: tl.constexpr,
    SLICES: tl.constexpr,
    PAD: tl.constexpr,
    WORDS: tl.constexpr,
):
    """(largest, exponent, max_term, others, others_low, label's score) of a ticket's row, once all its slices are published."""
    LANES: tl.constexpr = PAD * (WORDS if WORDS < 3 else 4)
    o = tl.arange(0, LANES)[None, :]
    place = published + FIRST_WORD + (ticket // SLICES).to(tl.int64) * (SLICES * WORDS) + o
    b_largest, b_number = wait_for_words(place, o < SLICES * WORDS)
    largest = tl.max(b_largest, axis=1)
    exponent = exponent_of_row(largest)
    b_first, b_second = scale_of(b_largest, largest[:, None], exponent[:, None], IS_HALF)
    b_scaled = b_number * b_first * b_second
    if WORDS == 1 and not IS_MAX_SEPARATE:
        total = tl.sum(b_scaled, axis=1)
        max_term, others, others_low = without_separation(total, tl.zeros_like(total), largest)
        return (
            reset_layout(largest),
            reset_layout(exponent),
            reset_layout(max_term),
            reset_layout(others),
            reset_layout(others_low),
            reset_layout(largest),
        )
    b_sum = tl.where(o < SLICES, b_scaled, 0.0)
    b_lost = tl.where((o >= SLICES) & (o < 2 * SLICES), b_scaled, 0.0)
    if IS_MAX_SEPARATE:
        b_is_max = (b_largest == largest[:, None]) & (o < SLICES)
        b_low = terms_of_tile(tl.where(b_is_max | (o >= SLICES), float("-inf"), b_largest), largest, exponent, IS_HALF)
        b_sum, b_lost = accumulate(b_sum, b_lost, b_low)
        others, others_low = sum_of_row(b_sum, b_lost)
        max_term = term_of(largest, largest, exponent, IS_HALF)
        max_term, others, others_low = with_max_separate(others, others_low, b_is_max.to(tl.int32), largest, max_term)
    else:
        total, total_low = sum_of_row(b_sum, b_lost)
        max_term, others, others_low = without_separation(total, total_low, largest)
    label = reset_layout(tl.max(tl.where((o >= 2 * SLICES) & (o < 3 * SLICES), b_number, float("-inf")), axis=1))
    return (
        reset_layout(largest),
        reset_layout(exponent),
        reset_layout(max_term),
        reset_layout(others),
        reset_layout(others_low),
        label,
    )


@triton.jit
def terms_in_row(b_terms, slice_largest, exponent):
    """The terms of a slice of one block, rescaled to the exponent of its row, which is not far."""
    first, second = powers_of(reset_layout(slice_largest)[:, None], exponent[:, None])
    return b_terms * first * second
