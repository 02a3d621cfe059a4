"""Labels or soft targets of a program's rows, with their options: which rows count, what each weighs, and y of every class."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.tiles import load_tile


@triton.jit
def rows_that_count(
    targets,
    weight,
    sample_weight,
    i_rows,
    m_rows,
    K,
    ignore_index,
    IS_SOFT: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_SAMPLE_WEIGHT: tl.constexpr,
    IS_SPREAD: tl.constexpr,
):
    """(label, row weight, that of Z², which rows count, which of those are read): a bad label's row is not, and becomes NaN.

    Z² is weighed by the row's part of the mean's denominator. A label of class weight 0 does not count, unless its target is
    spread over other classes, whose weights count.
    """
    row_weight = tl.full(i_rows.shape, 1.0, tl.float32)
    m_counted = m_rows
    if HAS_SAMPLE_WEIGHT:
        row_weight = tl.load(sample_weight + i_rows, mask=m_rows, other=0.0).to(tl.float32)
        m_counted = m_counted & (row_weight != 0.0)
    if IS_SOFT:
        label = tl.full(i_rows.shape, 0, tl.int32)
        m_read = m_counted
    else:
        number = tl.load(targets + i_rows, mask=m_rows, other=0).to(tl.int64)
        m_counted = m_counted & (number != ignore_index)
        m_read = m_counted & (number >= 0) & (number < K)
        # Of rows that are not read, no index.
        label = tl.where(m_read, number, 0).to(tl.int32)
    partition_weight = row_weight
    if HAS_WEIGHT and not IS_SOFT:
        label_weight = tl.load(weight + label, mask=m_read, other=1.0).to(tl.float32)
        partition_weight = row_weight * label_weight
        if not IS_SPREAD:
            m_counted = m_counted & (label_weight != 0.0)
            m_read = m_read & (label_weight != 0.0)
    return label, row_weight, partition_weight, m_counted, m_read


@triton.jit
def target_tile(
    targets,
    weight,
    o_targets,
    m_rows,
    o_classes,
    K,
    label,
    keep,
    even,
    IS_SOFT: tl.constexpr,
    HAS_SMOOTHING: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
):
    """y·keep + even, keep = 1 − smoothing and even = smoothing / K, times the class weights; zero outside."""
    if IS_SOFT:
        b_y = load_tile(targets, o_targets, m_rows, o_classes, K, 0.0)
    else:
        b_y = tl.where(o_classes[None, :] == label[:, None], 1.0, 0.0)
    if HAS_SMOOTHING:
        b_y = tl.where((o_classes < K)[None, :], tl.fma(b_y, keep, even), 0.0)
    if HAS_WEIGHT:
        b_y = b_y * tl.load(weight + o_classes, mask=o_classes < K, other=0.0).to(tl.float32)[None, :]
    return b_y


@triton.jit
def total_of_targets(
    targets,
    weight,
    o_targets,
    m_rows,
    K,
    label,
    keep,
    even,
    IS_SOFT: tl.constexpr,
    HAS_SMOOTHING: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Σ y of each row, and whether any y is not zero. Of a label alone the sum is the label's weight."""
    if IS_SOFT or (HAS_SMOOTHING and HAS_WEIGHT):
        b_any = tl.zeros([ROWS, BLOCK], tl.int32)
        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        for start in range(0, K, BLOCK):
            o_classes = start + tl.arange(0, BLOCK)
            b_y = target_tile(
                targets, weight, o_targets, m_rows, o_classes, K, label, keep, even, IS_SOFT, HAS_SMOOTHING, HAS_WEIGHT
            )
            b_sum, b_lost = accumulate(b_sum, b_lost, b_y)
            b_any = b_any | (b_y != 0.0).to(tl.int32)
        total, lost = sum_of_row(b_sum, b_lost)
        return total + lost, tl.max(b_any, axis=1) != 0
    elif HAS_WEIGHT:
        total = tl.load(weight + label, mask=m_rows, other=0.0).to(tl.float32)
        return total, total != 0.0
    else:
        total = tl.full([ROWS], 1.0, tl.float32)
        return total, total != 0.0
