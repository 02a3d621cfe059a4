"""What statistics of softmax, and slices of a sharded softmax, need of a row: its maximum, and sums relative to it.

A row is read twice, the second time from the cache: for the largest raw score and its first class, then for the sums. The largest
term is left out by its place, so the others of a confident row keep their digits.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.activation import activate
from lastlayer.kernels.triton.rows.tiles import load_scores, load_tile, rows_of_program
from lastlayer.kernels.triton.softmax.partition import below_maximum
from lastlayer.kernels.triton.softmax.statistics import exponent_of_row, term_of, terms_of_tile

#: Numbers that the kernel writes per row: the maximum, the sums of others and of e^(x − max) (max − x) in terms, the label's score,
#: the largest raw score, the distances, and the term of the maximum.
WRITTEN = tl.constexpr(7)
#: Terms of scores this far below the maximum are nothing; their products with an infinite distance would be NaN.
FARTHEST = tl.constexpr(1000.0)


@triton.jit
def peak_of_rows(scores, o_scores, m_rows, K, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """The largest raw score and its first class; NaN and its first class if any score is NaN."""
    o_block = tl.arange(0, BLOCK)
    b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
    b_place = tl.zeros([ROWS, BLOCK], tl.int32) + o_block[None, :]
    for start in range(0, K, BLOCK):
        b_raw = load_tile(scores, o_scores, m_rows, start + o_block, K, float("-inf"))
        b_is_better = (b_raw > b_best) | ((b_raw != b_raw) & (b_best == b_best))
        b_best = tl.where(b_is_better, b_raw, b_best)
        b_place = tl.where(b_is_better, start + o_block[None, :], b_place)
    b_is_nan = b_best != b_best
    m_nan = tl.max(b_is_nan.to(tl.int32), axis=1) > 0
    largest = tl.max(tl.where(b_is_nan, float("-inf"), b_best), axis=1)
    b_is_peak = tl.where(m_nan[:, None], b_is_nan, b_best == largest[:, None])
    return tl.where(m_nan, float("nan"), largest), tl.min(tl.where(b_is_peak, b_place, 2147483647), axis=1)


@triton.jit
def row_sums(
    scores,
    places,
    numbers,
    argmax,
    class_weight,
    N,
    K,
    stride_scores,
    activation,
    HAS_DISTANCES: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write the numbers (N, WRITTEN) in float64, and the argmax (N,)."""
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_block = i_rows * stride_scores, tl.arange(0, BLOCK)
    raw_largest, first = peak_of_rows(scores, o_scores, m_rows, K, ROWS, BLOCK)
    largest = activate(raw_largest, activation)
    exponent = exponent_of_row(largest)
    anchor = tl.where(tl.abs(largest) < float("inf"), largest, 0.0)

    b_others = tl.zeros([ROWS, BLOCK], tl.float32)
    b_others_low = tl.zeros([ROWS, BLOCK], tl.float32)
    b_spread = tl.zeros([ROWS, BLOCK], tl.float32)
    b_spread_low = tl.zeros([ROWS, BLOCK], tl.float32)
    b_distances = tl.zeros([ROWS, BLOCK], tl.float32)
    b_distances_low = tl.zeros([ROWS, BLOCK], tl.float32)
    for start in range(0, K, BLOCK):
        o_classes = start + o_block
        _, b_x = load_scores(scores, o_scores, m_rows, o_classes, K, activation)
        b_is_other = (o_classes[None, :] != first[:, None]) & (o_classes < K)[None, :] & (b_x != float("-inf"))
        b_terms = tl.where(b_is_other, terms_of_tile(b_x, largest, exponent, False), 0.0)
        b_others, b_others_low = accumulate(b_others, b_others_low, b_terms)
        b_distance = tl.minimum(tl.maximum(-below_maximum(b_x, largest[:, None]), 0.0), FARTHEST)
        b_spread, b_spread_low = accumulate(b_spread, b_spread_low, b_terms * b_distance)
        if HAS_DISTANCES:
            weight = tl.full([BLOCK], 1.0, tl.float32)
            if class_weight is not None:
                weight = tl.load(class_weight + o_classes, mask=o_classes < K, other=0.0)
            b_counts = (o_classes < K)[None, :] & (weight != 0.0)[None, :]
            b_terms = tl.where(b_counts, weight[None, :] * (anchor[:, None] - b_x), 0.0)
            b_distances, b_distances_low = accumulate(b_distances, b_distances_low, b_terms)
    others, others_low = sum_of_row(b_others, b_others_low)
    spread, spread_low = sum_of_row(b_spread, b_spread_low)
    distances, distances_low = sum_of_row(b_distances, b_distances_low)

    place = tl.load(places + i_rows, mask=m_rows, other=-1)
    m_here = m_rows & (place >= 0) & (place < K)
    raw_label = tl.load(scores + o_scores + place, mask=m_here, other=0.0).to(tl.float32)
    at_label = tl.where(m_here, tl.minimum(activate(raw_label, activation), largest), 0.0)

    o_numbers = numbers + i_rows * WRITTEN
    # A row with a NaN is NaN in all sums.
    nothing = tl.where(largest != largest, largest, 0.0).to(tl.float64)
    tl.store(o_numbers, largest.to(tl.float64), mask=m_rows)
    tl.store(o_numbers + 1, others.to(tl.float64) + others_low.to(tl.float64) + nothing, mask=m_rows)
    tl.store(o_numbers + 2, spread.to(tl.float64) + spread_low.to(tl.float64) + nothing, mask=m_rows)
    tl.store(o_numbers + 3, at_label.to(tl.float64), mask=m_rows)
    tl.store(o_numbers + 4, raw_largest.to(tl.float64), mask=m_rows)
    tl.store(o_numbers + 5, distances.to(tl.float64) + distances_low.to(tl.float64), mask=m_rows)
    tl.store(o_numbers + 6, term_of(largest, largest, exponent, False).to(tl.float64), mask=m_rows)
    tl.store(argmax + i_rows, first.to(tl.int64), mask=m_rows)
