"""Softmax of rows: probabilities, their logarithms, or the log-partition.

A *part* of rows is (their numbers, which of them exist, the first class, the class after the last); what is *found* of it are its
statistics as in normalizer.py: (largest, frame, top, others, others_low).
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
    times_pair,
)
from lastlayer.kernels.triton.softmax.split_rows import (
    FINISH,
    PUBLISH,
    part_of_ticket,
    publish,
    statistics_of_slices,
    take_ticket,
    weights_in_row,
)
from lastlayer.kernels.triton.softmax.statistics import (
    half_statistics_of_blocks,
    is_any_far,
    near_zero,
    statistics_of_blocks,
    statistics_of_tile,
    weights,
)


@triton.jit
def statistics(
    scores,
    stride,
    part,
    K,
    QUANTITY: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """What is found of a part of rows, and the weights where it is one block."""
    IS_APART: tl.constexpr = QUANTITY != "probabilities"
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    i_rows, m_rows, begin, end = part
    b_weights = 0.0
    if BLOCKS == 1:
        o_classes = begin + tl.arange(0, BLOCK)
        _, b_x = load_scores(scores, i_rows * stride, m_rows, o_classes, K, 1.0, 1.0, False, False)
        largest, frame, top, others, others_low, b_weights = statistics_of_tile(b_x, IS_APART, IS_HALF)
    elif IS_HALF and not IS_APART:
        largest, frame, top, others, others_low = half_statistics_of_blocks(
            scores, i_rows * stride, m_rows, begin, end, K, ROWS, BLOCK, BLOCKS
        )
    else:
        largest, frame, top, others, others_low = statistics_of_blocks(
            scores, i_rows * stride, m_rows, begin, end, K, 1.0, 1.0, False, False,
            IS_APART, IS_HALF, QUANTITY != "log_partition", ROWS, BLOCK,
        )  # fmt: skip
    return (largest, frame, top, others, others_low), b_weights


@triton.jit
def write_blocks(
    scores,
    out,
    stride_scores,
    stride_out,
    part,
    K,
    largest,
    frame,
    factors,
    QUANTITY: tl.constexpr,
    IS_FAR: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write a quantity of a part of rows from their scores, block by block. One that is far is told apart outside the loop.

    `factors` are log(Σ / top), and 1 / Σ as a pair.
    """
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    # Another instruction than near rows have: the compiler would move what both have in common, and all scores with it, before the
    # branch, where they take the registers.
    EVICTION: tl.constexpr = "" if IS_FAR else "evict_first"
    i_rows, m_rows, begin, end = part
    log_total, inverse, inverse_low = factors
    o_block = begin + tl.arange(0, BLOCK)
    blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
    for i in range(blocks):
        # From the end: what was read last is still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        _, b_x = load_scores(scores, i_rows * stride_scores, m_rows, o_classes, K, 1.0, 1.0, False, False, EVICTION)
        if QUANTITY == "log_probabilities":
            # Both parts are ≤ 0, so nothing cancels.
            b_out = below_maximum(b_x, largest[:, None]) - log_total[:, None]
        else:
            if IS_FAR:
                b_x = near_zero(b_x, largest)
            b_out = times_pair(weights(b_x, frame[:, None], IS_HALF), inverse, inverse_low, IS_HALF)
        store_tile(out, i_rows * stride_out, m_rows, o_classes, K, b_out, "evict_first")


@triton.jit
def write_quantity(
    scores,
    out,
    stride_scores,
    stride_out,
    part,
    K,
    found,
    b_weights,
    slice_largest,
    QUANTITY: tl.constexpr,
    IS_HELD: tl.constexpr,
    IS_SLICE: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write a quantity of a part of rows: from the weights where they are held, else from the scores once more.

    Weights of a slice are in the frame of its own largest score, from which no power of two leads to a far row's.
    """
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    # A whole row that is one block is a loop of one turn: addresses wait in no register, and two programs of 1024 threads find room.
    TURNS: tl.constexpr = BLOCKS if IS_SLICE or QUANTITY == "probabilities" else 0
    i_rows, m_rows, begin, _end = part
    largest, frame, top, others, others_low = found
    log_total, log_total_low = log_of_total(top, others, others_low)
    inverse, inverse_low = inverse_of_total(top, others, others_low)
    factors = (log_total, inverse, inverse_low)
    is_far = False
    if QUANTITY == "probabilities" and (IS_SLICE or not IS_HELD):
        is_far = is_any_far(largest)
    if QUANTITY == "log_partition":
        z = log_partition(largest, top + others, log_total, log_total_low)
        tl.store(out + i_rows, z.to(out.dtype.element_ty), mask=m_rows)
    elif is_far:
        write_blocks(
            scores, out, stride_scores, stride_out, part, K, largest, frame, factors, QUANTITY, True, BLOCK, TURNS
        )
    elif IS_HELD:
        if IS_SLICE:
            b_weights = weights_in_row(b_weights, slice_largest, frame)
        b_out = times_pair(b_weights, inverse, inverse_low, IS_HALF)
        store_tile(out, i_rows * stride_out, m_rows, begin + tl.arange(0, BLOCK), K, b_out)
    else:
        write_blocks(
            scores, out, stride_scores, stride_out, part, K, largest, frame, factors, QUANTITY, False, BLOCK, TURNS
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
    PART: tl.constexpr = 0,
):
    """A quantity of every row, or of slices of rows. What is one block is read once, unless its logarithms are wanted.

    More is read twice, the second time from the cache.
    """
    IS_APART: tl.constexpr = QUANTITY != "probabilities"
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    IS_SLICE: tl.constexpr = SLICES > 1
    # Of one block's own sum nothing is lost; nothing that counts of a half type's.
    WORDS: tl.constexpr = 1 if IS_HALF or (BLOCKS == 1 and not IS_APART) else 2
    # Scores that logarithms are taken of are read again even from one block: beside the weights no registers are left.
    IS_HELD: tl.constexpr = BLOCKS == 1 and not IS_APART
    if IS_SLICE:
        ticket = take_ticket(published, PART)
        part = part_of_ticket(ticket, N, K, SLICES, SLICE)
    else:
        i_rows, m_rows = rows_of_program(N, ROWS)
        part = (i_rows, m_rows, 0, K)
    found, b_weights = statistics(scores, stride_scores, part, K, QUANTITY, ROWS, BLOCK, BLOCKS)
    slice_largest, frame, _, others, others_low = found
    if IS_SLICE:
        if PART != FINISH:
            publish(published, ticket, slice_largest, frame, others, others_low, slice_largest, SLICES, WORDS)
        if PART != PUBLISH:
            largest, frame, top, others, others_low, _ = statistics_of_slices(
                published, ticket, IS_APART, IS_HALF, SLICES, PAD, WORDS
            )
            found = (largest, frame, top, others, others_low)
    if PART != PUBLISH:
        write_quantity(
            scores, out, stride_scores, stride_out, part, K, found, b_weights, slice_largest,
            QUANTITY, IS_HELD, IS_SLICE, BLOCK, BLOCKS,
        )  # fmt: skip
