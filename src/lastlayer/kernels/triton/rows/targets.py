"""Labels or soft targets of a program's rows: which rows count, the weight of each, and the target y of every class."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.tiles import load_tile


@triton.jit
def row_weights(targets, i_rows, m_rows, K, loss_options, IS_SOFT: tl.constexpr, IS_SPREAD: tl.constexpr):
    """(label, row weight, weight of the z-loss, rows that count, rows to read).

    A row with a bad label counts, but is not read: its loss becomes NaN. The z-loss is weighted by the row's part of the mean's
    denominator. A label of class weight 0 does not count, unless its target is spread over other classes, whose weights count.
    """
    row_weight = tl.full(i_rows.shape, 1.0, tl.float32)
    m_counted = m_rows
    if loss_options.sample_weight is not None:
        row_weight = tl.load(loss_options.sample_weight + i_rows, mask=m_rows, other=0.0).to(tl.float32)
        m_counted = m_counted & (row_weight != 0.0)
    if IS_SOFT:
        label = tl.full(i_rows.shape, 0, tl.int32)
        m_read = m_counted
    else:
        number = tl.load(targets + i_rows, mask=m_rows, other=0).to(tl.int64)
        m_counted = m_counted & (number != loss_options.ignore_index)
        m_read = m_counted & (number >= 0) & (number < K)
        # The label of a row that is not read must be no index out of range.
        label = tl.where(m_read, number, 0).to(tl.int32)
    z_weight = row_weight
    if loss_options.weight is not None and not IS_SOFT:
        label_weight = tl.load(loss_options.weight + label, mask=m_read, other=1.0).to(tl.float32)
        z_weight = row_weight * label_weight
        if not IS_SPREAD:
            m_counted = m_counted & (label_weight != 0.0)
            m_read = m_read & (label_weight != 0.0)
    return label, row_weight, z_weight, m_counted, m_read


@triton.jit
def target_tile(targets, o_targets, m_rows, o_classes, K, label, smoothing, weight, IS_SOFT: tl.constexpr):
    """y·label_share + uniform_share, times the class weights; zero outside.

    `smoothing` is (label_share, uniform_share), both None where targets are not smoothed; `weight` may be None.
    """
    if IS_SOFT:
        b_y = load_tile(targets, o_targets, m_rows, o_classes, K, 0.0)
    else:
        b_y = tl.where(o_classes[None, :] == label[:, None], 1.0, 0.0)
    if smoothing[0] is not None:
        b_y = tl.where((o_classes < K)[None, :], tl.fma(b_y, smoothing[0], smoothing[1]), 0.0)
    if weight is not None:
        b_y = b_y * tl.load(weight + o_classes, mask=o_classes < K, other=0.0).to(tl.float32)[None, :]
    return b_y


@triton.jit
def total_of_targets(
    targets,
    o_targets,
    m_rows,
    K,
    label,
    smoothing,
    weight,
    IS_SOFT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """T = Σ y of each row, and whether any y is not zero. For a single label, T is the label's class weight."""
    if IS_SOFT or (smoothing[0] is not None and weight is not None):
        b_any = tl.zeros([ROWS, BLOCK], tl.int32)
        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        for start in range(0, K, BLOCK):
            o_classes = start + tl.arange(0, BLOCK)
            b_y = target_tile(targets, o_targets, m_rows, o_classes, K, label, smoothing, weight, IS_SOFT)
            b_sum, b_lost = accumulate(b_sum, b_lost, b_y)
            b_any = b_any | (b_y != 0.0).to(tl.int32)
        total, lost = sum_of_row(b_sum, b_lost)
        return total + lost, tl.max(b_any, axis=1) != 0
    elif weight is not None:
        total = tl.load(weight + label, mask=m_rows, other=0.0).to(tl.float32)
        return total, total != 0.0
    else:
        total = tl.full([ROWS], 1.0, tl.float32)
        return total, total != 0.0
