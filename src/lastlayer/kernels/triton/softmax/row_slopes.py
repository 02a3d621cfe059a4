"""Gradients of statistics and of label losses of softmax in the place of the scores, from what is known of each row."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.rows.activation import activation_vjp
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.softmax.partition import below_maximum
from lastlayer.kernels.triton.softmax.statistics import exponent_of_row, term_of, terms_of_tile

#: Numbers that the kernel reads per row: M, 1 / (1 + others), log1p(others), factor, slope, the label's entry, and the share.
READ = tl.constexpr(7)
#: log p below this is that of a p that is 0 in every result.
FARTHEST = tl.constexpr(-1000.0)


@triton.jit
def number_of_rows(numbers, i_rows, m_rows, NUMBER: tl.constexpr):
    """One of the numbers (N, READ), in float32."""
    return tl.load(numbers + i_rows * READ + NUMBER, mask=m_rows, other=0.0).to(tl.float32)


@triton.jit
def row_slopes(
    scores,
    places,
    numbers,
    is_live,
    class_weight,
    N,
    K,
    stride_scores,
    activation,
    HAS_SHARE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """p (factor − slope · log p) − share · w, and the given entry − share · w at the label; times the activation's derivative."""
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_block = i_rows * stride_scores, tl.arange(0, BLOCK)
    largest = number_of_rows(numbers, i_rows, m_rows, 0)
    log_sum = number_of_rows(numbers, i_rows, m_rows, 2)
    factor = number_of_rows(numbers, i_rows, m_rows, 3)
    slope = number_of_rows(numbers, i_rows, m_rows, 4)
    entry = number_of_rows(numbers, i_rows, m_rows, 5)
    share = number_of_rows(numbers, i_rows, m_rows, 6)
    m_live = tl.load(is_live + i_rows, mask=m_rows, other=0) != 0
    exponent = exponent_of_row(largest)
    inverse = tl.div_rn(number_of_rows(numbers, i_rows, m_rows, 1), term_of(largest, largest, exponent, False))
    # A row of −inf alone is NaN.
    inverse = tl.where(largest == float("-inf"), float("nan"), inverse)

    place = tl.load(places + i_rows, mask=m_rows, other=-1)
    m_here = m_rows & m_live & (place >= 0) & (place < K)
    raw_label = tl.load(scores + o_scores + place, mask=m_here, other=0.0).to(tl.float32)
    if HAS_SHARE:
        weight = 1.0
        if class_weight is not None:
            weight = tl.load(class_weight + place, mask=m_here, other=0.0)
        entry = tl.where(share != 0.0, entry - share * weight, entry)
    entry = activation_vjp(entry, raw_label, activation)
    # Every thread has read the label's score before a slope may overwrite it.
    tl.debug_barrier()
    for start in range(0, K, BLOCK):
        o_classes = start + o_block
        b_raw, b_x = load_scores(scores, o_scores, m_rows, o_classes, K, activation)
        b_p = terms_of_tile(b_x, largest, exponent, False) * inverse[:, None]
        b_log = below_maximum(b_x, largest[:, None]) - log_sum[:, None]
        b_log = tl.maximum(b_log, FARTHEST, propagate_nan=tl.PropagateNan.ALL)
        b_slopes = b_p * (factor[:, None] - slope[:, None] * b_log)
        if HAS_SHARE:
            b_weight = tl.full([BLOCK], 1.0, tl.float32)
            if class_weight is not None:
                b_weight = tl.load(class_weight + o_classes, mask=o_classes < K, other=0.0)
            b_slopes = tl.where(share[:, None] != 0.0, b_slopes - share[:, None] * b_weight[None, :], b_slopes)
        b_slopes = activation_vjp(b_slopes, b_raw, activation)
        store_tile(scores, o_scores, m_rows, o_classes, K, tl.where(m_live[:, None], b_slopes, 0.0))
    # The label's entry replaces what the thread that holds its class has stored.
    tl.debug_barrier()
    tl.store(scores + o_scores + place, entry.to(scores.dtype.element_ty), mask=m_here)
