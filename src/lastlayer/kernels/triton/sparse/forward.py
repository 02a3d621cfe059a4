"""Sparsemax and 1.5-entmax of rows: probabilities, their logarithms, or the log-partition Ω*."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import log1p_negative, logarithm
from lastlayer.kernels.triton.arithmetic.float_float import two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.sparse.threshold import (
    base_pair_of,
    complement_of_largest,
    find_threshold,
    positive,
    rest_of_tile,
)


@triton.jit
def power_of(b_base, b_low, IS_SQUARE: tl.constexpr):
    """p of a base and what it lost, zero below the support; a NaN stays."""
    b_base = positive(b_base)
    return tl.fma(b_base, b_base, 2.0 * b_base * b_low) if IS_SQUARE else b_base


@triton.jit
def partition_term(b_base, b_low, IS_SQUARE: tl.constexpr):
    """base² or, of 1.5-entmax, base³, of a base and what it lost."""
    b_base = positive(b_base)
    b_square = b_base * b_base
    if IS_SQUARE:
        return tl.fma(b_square, b_base, 3.0 * b_square * b_low)
    else:
        return tl.fma(b_base, b_base, 2.0 * b_base * b_low)


@triton.jit
def partition_of(largest, tau, tau_low, others, IS_SQUARE: tl.constexpr):
    """Ω*: max + ½ (a² + Σ base²) or max + ⅔ (a² (3 − a) + Σ base³), a = 1 + τ, the sum without one class at the maximum.

    No term is negative; and as a function of τ it is least at the threshold, so that an error of τ does not show.
    """
    above, above_low = two_sum(1.0, tau)
    above += above_low + tau_low
    if IS_SQUARE:
        return largest + tl.div_rn(2.0 * tl.fma(above * above, 3.0 - above, others), 3.0)
    else:
        return largest + 0.5 * tl.fma(above, above, others)


@triton.jit
def largest_of_row(
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
    """The maximum of rows of many blocks."""
    b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
    for start in range(0, K, BLOCK):
        o_classes = start + tl.arange(0, BLOCK)
        _, b_x = load_scores(scores, o_rows, m_rows, o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
        b_best = tl.maximum(b_best, b_x)
    return tl.max(b_best, axis=1)


@triton.jit
def logarithms(b_x, b_p, largest, rest):
    """log p; of a confident class log1p of what it lacks of one."""
    b_confident = (b_x == largest[:, None]) & (b_p > 0.5)
    return tl.where(b_confident, log1p_negative(tl.where(b_confident, -rest[:, None], 0.0 * b_p)), logarithm(b_p))


@triton.jit
def tsallis_forward(
    scores,
    out,
    N,
    K,
    stride_scores,
    stride_out,
    QUANTITY: tl.constexpr,
    IS_SQUARE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """A quantity of every row. A row of one block is read once; a longer one at every step of the search, from the cache."""
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_out = i_rows * stride_scores, i_rows * stride_out
    o_block = tl.arange(0, BLOCK)
    _, b_x = load_scores(scores, o_scores, m_rows, o_block, K, 1.0, 1.0, False, False)
    if IS_SINGLE:
        largest = tl.max(b_x, axis=1)
    else:
        largest = largest_of_row(scores, o_scores, m_rows, K, 1.0, 1.0, False, False, ROWS, BLOCK)
    tau, tau_low = find_threshold(
        b_x, largest, scores, o_scores, m_rows, K, 1.0, 1.0, False, False, IS_SQUARE, IS_SINGLE, ROWS, BLOCK
    )
    blocks = tl.cdiv(K, BLOCK)
    rest = tau
    if QUANTITY != "probabilities":
        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
        for i in range(blocks):
            if not IS_SINGLE:
                _, b_x = load_scores(scores, o_scores, m_rows, i * BLOCK + o_block, K, 1.0, 1.0, False, False)
            b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE)
            if QUANTITY == "log_partition":
                b_terms = partition_term(b_base, b_low, IS_SQUARE)
            else:
                b_terms = power_of(b_base, b_low, IS_SQUARE)
            b_sum, b_lost, b_ties = rest_of_tile(b_x, b_terms, largest, b_sum, b_lost, b_ties)
        if QUANTITY == "log_partition":
            others = complement_of_largest(b_sum, b_lost, b_ties, partition_term(-tau, -tau_low, IS_SQUARE))
            z = partition_of(largest, tau, tau_low, others, IS_SQUARE)
            tl.store(out + o_out, z.to(out.dtype.element_ty), mask=m_rows)
        else:
            rest = complement_of_largest(b_sum, b_lost, b_ties, power_of(-tau, -tau_low, IS_SQUARE))
    if QUANTITY != "log_partition":
        for i in range(blocks):
            # From the end: what was read last is still in the cache.
            o_classes = (blocks - 1 - i) * BLOCK + o_block
            if not IS_SINGLE:
                _, b_x = load_scores(scores, o_scores, m_rows, o_classes, K, 1.0, 1.0, False, False)
            b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE)
            b_out = power_of(b_base, b_low, IS_SQUARE)
            if QUANTITY == "log_probabilities":
                b_out = logarithms(b_x, b_out, largest, rest)
            store_tile(out, o_out, m_rows, o_classes, K, b_out)
