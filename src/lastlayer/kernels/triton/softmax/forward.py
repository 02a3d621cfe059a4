"""Softmax of rows: probabilities, their logarithms, or the log-partition.

A *span* is the span of rows that a program works on: (rows, mask of rows, first class, class after the last). Its *statistics* are
those of statistics.py: (largest, exponent, max_term, others, others_low).
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.softmax.partition import (
    below_maximum,
    inverse_of_total,
    log_of_total,
    log_partition,
    times_pair_of_row,
)
from lastlayer.kernels.triton.softmax.split_rows import (
    FINISH,
    PUBLISH,
    publish,
    span_of_ticket,
    statistics_of_slices,
    take_ticket,
    terms_in_row,
)
from lastlayer.kernels.triton.softmax.statistics import (
    half_statistics_of_blocks,
    is_any_far,
    shift_far_rows,
    statistics_of_blocks,
    statistics_of_tile,
    terms,
)


@triton.jit
def statistics_of_span(
    scores,
    stride,
    span,
    K,
    QUANTITY: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """The statistics of a span, and its terms if it is one block."""
    IS_MAX_SEPARATE: tl.constexpr = QUANTITY != "probabilities"
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    i_rows, m_rows, begin, end = span
    b_terms = 0.0
    if BLOCKS == 1:
        o_classes = begin + tl.arange(0, BLOCK)
        _, b_x = load_scores(scores, i_rows * stride, m_rows, o_classes, K, (None, None))
        largest, exponent, max_term, others, others_low, b_terms = statistics_of_tile(b_x, IS_MAX_SEPARATE, IS_HALF)
    elif IS_HALF and not IS_MAX_SEPARATE:
        largest, exponent, max_term, others, others_low = half_statistics_of_blocks(
            scores, i_rows * stride, m_rows, begin, end, K, ROWS, BLOCK, BLOCKS
        )
    else:
        largest, exponent, max_term, others, others_low = statistics_of_blocks(
            scores, i_rows * stride, m_rows, begin, end, K, (None, None),
            IS_MAX_SEPARATE, IS_HALF, QUANTITY != "log_partition", ROWS, BLOCK,
        )  # fmt: skip
    return (largest, exponent, max_term, others, others_low), b_terms


@triton.jit
def write_blocks(
    scores,
    out,
    stride_scores,
    stride_out,
    span,
    K,
    largest,
    exponent,
    factors,
    QUANTITY: tl.constexpr,
    IS_FAR: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write a quantity of a span from its scores, block by block.

    `factors` are log(Σ / max_term), and 1 / Σ as a pair. IS_FAR keeps the branch for far rows out of the loop.
    """
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    # A different load than for near rows: the compiler would hoist common loads above the branch, where the scores would fill the
    # registers.
    EVICTION: tl.constexpr = "" if IS_FAR else "evict_first"
    i_rows, m_rows, begin, end = span
    log_total, inverse, inverse_low = factors
    o_block = begin + tl.arange(0, BLOCK)
    blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
    for i in range(blocks):
        # Backwards: the blocks read last are still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        _, b_x = load_scores(scores, i_rows * stride_scores, m_rows, o_classes, K, (None, None), EVICTION)
        if QUANTITY == "log_probabilities":
            # Both terms are ≤ 0, so nothing cancels.
            b_out = below_maximum(b_x, largest[:, None]) - log_total[:, None]
        else:
            if IS_FAR:
                b_x = shift_far_rows(b_x, largest)
            b_out = times_pair_of_row(terms(b_x, exponent[:, None], IS_HALF), inverse, inverse_low, IS_HALF)
        store_tile(out, i_rows * stride_out, m_rows, o_classes, K, b_out, "evict_first")


@triton.jit
def write_quantity(
    scores,
    out,
    stride_scores,
    stride_out,
    span,
    K,
    statistics,
    b_terms,
    slice_largest,
    QUANTITY: tl.constexpr,
    HAS_TERMS: tl.constexpr,
    IS_SLICE: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write a quantity of a span: from its terms if there are any (HAS_TERMS), else from the scores, read again.

    A slice's terms have the exponent of the slice's maximum. No power of two rescales them to a far row, which is computed again.
    """
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    # A row of one block is a loop of one step that is not unrolled: no registers for addresses, and two programs of 1024 threads fit.
    STEPS: tl.constexpr = BLOCKS if IS_SLICE or QUANTITY == "probabilities" else 0
    i_rows, m_rows, begin, _end = span
    largest, exponent, max_term, others, others_low = statistics
    log_total, log_total_low = log_of_total(max_term, others, others_low)
    inverse, inverse_low = inverse_of_total(max_term, others, others_low)
    factors = (log_total, inverse, inverse_low)
    is_far = False
    if QUANTITY == "probabilities" and (IS_SLICE or not HAS_TERMS):
        is_far = is_any_far(largest)
    if QUANTITY == "log_partition":
        z = log_partition(largest, max_term + others, log_total, log_total_low)
        tl.store(out + i_rows, z.to(out.dtype.element_ty), mask=m_rows)
    elif is_far:
        write_blocks(
            scores, out, stride_scores, stride_out, span, K, largest, exponent, factors, QUANTITY, True, BLOCK, STEPS
        )
    elif HAS_TERMS:
        if IS_SLICE:
            b_terms = terms_in_row(b_terms, slice_largest, exponent)
        b_out = times_pair_of_row(b_terms, inverse, inverse_low, IS_HALF)
        store_tile(out, i_rows * stride_out, m_rows, begin + tl.arange(0, BLOCK), K, b_out)
    else:
        write_blocks(
            scores, out, stride_scores, stride_out, span, K, largest, exponent, factors, QUANTITY, False, BLOCK, STEPS
        )


@triton.jit
def softmax_forward(
    scores,
    out,
    N,
    K,
    stride_scores,
    stride_out,
    QUANTITY: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    published=None,
    SLICES: tl.constexpr = 1,
    SLICE: tl.constexpr = 1,
    PAD: tl.constexpr = 1,
    PHASE: tl.constexpr = 0,
):
    """A quantity of every row, or of slices of rows.

    A span of one block is read once, unless its logarithms are wanted. A longer one is read twice, the second time from the cache.
    """
    IS_MAX_SEPARATE: tl.constexpr = QUANTITY != "probabilities"
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    IS_SLICE: tl.constexpr = SLICES > 1
    # The sum of a single block has no low part, and that of a half type needs none.
    WORDS: tl.constexpr = 1 if IS_HALF or (BLOCKS == 1 and not IS_MAX_SEPARATE) else 2
    # Logarithms read the scores of even one block again: with the terms held there are no registers left for them.
    HAS_TERMS: tl.constexpr = BLOCKS == 1 and not IS_MAX_SEPARATE
    if IS_SLICE:
        ticket = take_ticket(published, PHASE)
        span = span_of_ticket(ticket, N, K, SLICES, SLICE)
    else:
        i_rows, m_rows = rows_of_program(N, ROWS)
        span = (i_rows, m_rows, 0, K)
    statistics, b_terms = statistics_of_span(scores, stride_scores, span, K, QUANTITY, ROWS, BLOCK, BLOCKS)
    slice_largest, exponent, _, others, others_low = statistics
    if IS_SLICE:
        if PHASE != FINISH:
            publish(published, ticket, slice_largest, exponent, others, others_low, slice_largest, SLICES, WORDS)
        if PHASE != PUBLISH:
            largest, exponent, max_term, others, others_low, _ = statistics_of_slices(
                published, ticket, IS_MAX_SEPARATE, IS_HALF, SLICES, PAD, WORDS
            )
            statistics = (largest, exponent, max_term, others, others_low)
    if PHASE != PUBLISH:
        write_quantity(
            scores, out, stride_scores, stride_out, span, K, statistics, b_terms, slice_largest,
            QUANTITY, HAS_TERMS, IS_SLICE, BLOCK, BLOCKS,
        )  # fmt: skip
