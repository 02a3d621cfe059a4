"""Sparsemax and 1.5-entmax of rows: probabilities, their logarithms, or the log-partition Ω*."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import log1p_negative, logarithm
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.sparse.threshold import accumulate_others, base_pair_of, find_threshold, sum_of_others
from lastlayer.kernels.triton.sparse.tsallis import largest_of_row, partition_of, partition_term, probability_of


@triton.jit
def logarithms(b_x, b_p, largest, complement):
    """log p; for a confident class log1p(−complement), which keeps its digits."""
    b_confident = (b_x == largest[:, None]) & (b_p > 0.5)
    return tl.where(b_confident, log1p_negative(tl.where(b_confident, -complement[:, None], 0.0 * b_p)), logarithm(b_p))


@triton.jit
def tsallis_forward(
    scores,
    out,
    N,
    K,
    stride_scores,
    stride_out,
    QUANTITY: tl.constexpr,
    IS_ENTMAX: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """A quantity of every row. A row of one block is read once; a longer one at every Newton step, from the cache."""
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_out = i_rows * stride_scores, i_rows * stride_out
    o_block = tl.arange(0, BLOCK)
    _, b_x = load_scores(scores, o_scores, m_rows, o_block, K, (None, None))
    if IS_SINGLE:
        largest = tl.max(b_x, axis=1)
    else:
        largest = largest_of_row(scores, o_scores, m_rows, K, (None, None), ROWS=ROWS, BLOCK=BLOCK)
    tau, tau_low = find_threshold(
        b_x,
        largest,
        scores,
        o_scores,
        m_rows,
        K,
        (None, None),
        IS_ENTMAX=IS_ENTMAX,
        IS_SINGLE=IS_SINGLE,
        ROWS=ROWS,
        BLOCK=BLOCK,
    )
    blocks = tl.cdiv(K, BLOCK)
    complement = tau
    if QUANTITY != "probabilities":
        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
        for i in range(blocks):
            if not IS_SINGLE:
                _, b_x = load_scores(scores, o_scores, m_rows, i * BLOCK + o_block, K, (None, None))
            b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX)
            if QUANTITY == "log_partition":
                b_terms = partition_term(b_base, b_low, IS_ENTMAX)
            else:
                b_terms = probability_of(b_base, b_low, IS_ENTMAX)
            b_sum, b_lost, b_ties = accumulate_others(b_x, b_terms, largest, b_sum, b_lost, b_ties)
        if QUANTITY == "log_partition":
            others = sum_of_others(b_sum, b_lost, b_ties, partition_term(-tau, -tau_low, IS_ENTMAX))
            z = partition_of(largest, tau, tau_low, others, IS_ENTMAX)
            tl.store(out + o_out, z.to(out.dtype.element_ty), mask=m_rows)
        else:
            complement = sum_of_others(b_sum, b_lost, b_ties, probability_of(-tau, -tau_low, IS_ENTMAX))
    if QUANTITY != "log_partition":
        for i in range(blocks):
            # Backwards: the blocks read last are still in the cache.
            o_classes = (blocks - 1 - i) * BLOCK + o_block
            if not IS_SINGLE:
                _, b_x = load_scores(scores, o_scores, m_rows, o_classes, K, (None, None))
            b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX)
            b_out = probability_of(b_base, b_low, IS_ENTMAX)
            if QUANTITY == "log_probabilities":
                b_out = logarithms(b_x, b_out, largest, complement)
            store_tile(out, o_out, m_rows, o_classes, K, b_out)
