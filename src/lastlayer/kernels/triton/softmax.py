"""Softmax of rows: probabilities, their logarithms, or the log-partition."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.elementary import log1p_pair
from lastlayer.kernels.triton.normalizer import statistics_of_blocks, statistics_of_tile, weights_of
from lastlayer.kernels.triton.pairs import divide, two_sum
from lastlayer.kernels.triton.shared import FINISH, PUBLISH, part_of_rows, publish, statistics_of_slices, weights_in_row
from lastlayer.kernels.triton.tiles import load_scores, store_tile


@triton.jit
def log_of_total(top, others, others_low):
    """log(Σ / top) = log1p(others / top) as a pair: never through 1 + others, where small others are lost."""
    ratio, ratio_low = divide(others, others_low, top, 0.0 * top)
    return log1p_pair(ratio, ratio_low)


@triton.jit
def inverse_of_total(top, others, others_low):
    """1 / Σ as a pair; not a number where nothing has weight."""
    total, lost = two_sum(top, others)
    return divide(1.0 + 0.0 * top, 0.0 * top, total, lost + others_low)


@triton.jit
def below_maximum(b_x, largest):
    """x − max, zero where both are infinite."""
    return tl.where(b_x == largest, 0.0, b_x - largest)


@triton.jit
def log_partition(largest, total, log_total, log_total_low):
    """Z = max + log(Σ / top), rounded once; −∞ where nothing has weight."""
    hi, lo = two_sum(largest, log_total)
    # An infinite sum has no low part.
    z = tl.where(tl.abs(hi) == float("inf"), hi, hi + (lo + log_total_low))
    return tl.where(total == 0.0, float("-inf"), z)


@triton.jit
def times_pair(b_weights, factor, factor_low, IS_HALF: tl.constexpr):
    """A tile times a pair a row, rounded once; for a half type's digits, times its first part."""
    if IS_HALF:
        b_out = b_weights * factor[:, None]
    else:
        b_out = tl.fma(b_weights, factor[:, None], b_weights * factor_low[:, None])
    return b_out


@triton.jit
def softmax_forward(
    scores,
    out,
    N,
    K,
    stride_scores,
    stride_out,
    QUANTITY: tl.constexpr,
    IS_SINGLE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    counters=None,
    published=None,
    SLICES: tl.constexpr = 1,
    SLICE: tl.constexpr = 1,
    PAD: tl.constexpr = 1,
    PART: tl.constexpr = 0,
):
    """A quantity of every row. What is one block is read once; more is read twice, the second time from its end."""
    IS_APART: tl.constexpr = QUANTITY != "probabilities"
    IS_HALF: tl.constexpr = scores.dtype.element_ty != tl.float32
    IS_READ_TWICE: tl.constexpr = QUANTITY != "log_partition"
    EVICTION: tl.constexpr = "" if IS_SINGLE else "evict_first"
    row, i_slice, i_rows, m_rows, m_own, begin, end = part_of_rows(counters, N, K, SLICES, SLICE, PART, ROWS)
    o_scores, o_out = i_rows * stride_scores, i_rows * stride_out
    o_block = begin + tl.arange(0, BLOCK)
    if IS_SINGLE:
        _, b_x = load_scores(scores, o_scores, m_rows, o_block, K, 1.0, 1.0, False, False)
        largest, frame, top, others, others_low, b_weights = statistics_of_tile(b_x, IS_APART, IS_HALF)
    if PART != FINISH:
        if not IS_SINGLE:
            largest, frame, top, others, others_low = statistics_of_blocks(
                scores,
                o_scores,
                m_rows,
                begin,
                end,
                K,
                1.0,
                1.0,
                False,
                False,
                IS_APART,
                IS_HALF,
                IS_READ_TWICE,
                ROWS,
                BLOCK,
            )
        if SLICES > 1:
            publish(published, row, i_slice, largest, frame, others, others_low, largest, SLICES, IS_HALF)
    if PART != PUBLISH:
        if SLICES > 1:
            largest, frame, top, others, others_low, first, second, _label = statistics_of_slices(
                counters, published, row, i_slice, IS_APART, IS_HALF, SLICES, PAD, PART
            )
            if IS_SINGLE and QUANTITY == "probabilities":
                b_weights = weights_in_row(
                    b_weights, first, second, largest, frame, scores, o_scores, m_rows, o_block, K, 1.0, 1.0, False, False, IS_HALF
                )  # fmt: skip
        log_total, log_total_low = log_of_total(top, others, others_low)
        inverse, inverse_low = inverse_of_total(top, others, others_low)
        if QUANTITY == "log_partition":
            z = log_partition(largest, top + others, log_total, log_total_low)
            tl.store(out + i_rows, z.to(out.dtype.element_ty), mask=m_own)
        else:
            blocks = tl.cdiv(end - begin, BLOCK)
            for i in range(blocks):
                # From the end: what was read last is still in the cache.
                o_classes = (blocks - 1 - i) * BLOCK + o_block
                # Scores that logarithms are taken of are read again even from one block: beside the weights no registers are left.
                if not IS_SINGLE or IS_APART:
                    _, b_x = load_scores(scores, o_scores, m_rows, o_classes, K, 1.0, 1.0, False, False, EVICTION)
                if QUANTITY == "probabilities":
                    if not IS_SINGLE:
                        b_weights = weights_of(b_x, largest, frame, IS_HALF)
                    b_out = times_pair(b_weights, inverse, inverse_low, IS_HALF)
                else:
                    # Both parts are ≤ 0, so nothing cancels.
                    b_out = below_maximum(b_x, largest[:, None]) - log_total[:, None]
                store_tile(out, o_out, m_rows, o_classes, K, b_out, EVICTION)
