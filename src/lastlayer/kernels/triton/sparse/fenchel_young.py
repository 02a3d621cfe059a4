"""The Fenchel–Young loss of sparsemax and 1.5-entmax of rows with every option, and its gradient.

loss = row factor·(D(y, p) + Σ y·max(0, slack)): a Bregman divergence, plus how far below the support the targets are. Every term is
≥ 0. The gradient is p (T − y) − y (1 − p), T = Σ y; 1 − p of the largest class is the sum of the other probabilities. Class weights
multiply the row by Σ w y of its unsmoothed targets. Losses and gradients are per row, not reduced.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.activation import activation_vjp
from lastlayer.kernels.triton.rows.targets import row_weights, target_tile, total_of_targets
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.rows.z_terms import add_z_loss, z_loss_slope
from lastlayer.kernels.triton.sparse.threshold import accumulate_others, base_pair_of, find_threshold, sum_of_others
from lastlayer.kernels.triton.sparse.tsallis import largest_of_row, partition_of, partition_term, probability_of


@triton.jit
def gap_of(b_x, b_p, b_y, largest, complement, total):
    """p (T − y) − y (1 − p)."""
    b_complement = tl.where(b_x == largest[:, None], complement[:, None], 1.0 - b_p)
    return tl.fma(b_p, total[:, None] - b_y, -b_y * b_complement)


@triton.jit
def loss_terms(b_base, b_y, b_gap, IS_ENTMAX: tl.constexpr):
    """D(y, p) of every class, and y·slack where its base is negative."""
    b_slack = tl.where((b_y != 0.0) & (b_base < 0.0), -b_y * b_base, 0.0)
    if IS_ENTMAX:
        # (√y − √p)² (√y + √p/2) / (α(α − 1)), where √y − √p = (y − p) / (√y + √p) does not cancel.
        b_root_y, b_root_p = tl.sqrt_rn(b_y), tl.where(b_base <= 0.0, 0.0, b_base)
        b_sum = b_root_y + b_root_p
        b_difference = tl.div_rn(b_gap, tl.where(b_sum == 0.0, 1.0, b_sum))
        b_divergence = b_difference * b_difference * (tl.fma(b_root_p, 0.5, b_root_y) * (4.0 / 3.0))
        # The base is of x / 2, so the slack in x is twice the base's.
        return b_divergence + 2.0 * b_slack
    else:
        return 0.5 * b_gap * b_gap + b_slack


@triton.jit
def weights_of_targets(
    targets,
    o_targets,
    m_read,
    K,
    label,
    row_weight,
    loss_options,
    IS_SOFT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """(row factor, T, whether the row has a target): the factor is the row weight times Σ w y of the unsmoothed targets."""
    total, m_targets = total_of_targets(
        targets, o_targets, m_read, K, label, loss_options.smoothing, None, IS_SOFT=IS_SOFT, ROWS=ROWS, BLOCK=BLOCK
    )
    factor = row_weight
    if loss_options.weight is not None:
        weighted, m_weighted = total_of_targets(
            targets,
            o_targets,
            m_read,
            K,
            label,
            (None, None),
            loss_options.weight,
            IS_SOFT=IS_SOFT,
            ROWS=ROWS,
            BLOCK=BLOCK,
        )
        factor = row_weight * weighted
        m_targets = m_targets & m_weighted
    return factor, total, m_targets


@triton.jit
def sums_of_other_classes(
    scores,
    o_scores,
    m_read,
    o_block,
    blocks,
    K,
    b_x,
    row,
    loss_options,
    IS_ENTMAX: tl.constexpr,
    IS_SINGLE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """1 − p of the largest class and, for the z-loss, the other classes' part of Ω*. A row of one block is `b_x`."""
    HAS_Z_LOSS: tl.constexpr = loss_options.z_scale is not None
    largest, tau, tau_low = row
    b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
    b_partition = tl.zeros([ROWS, BLOCK], tl.float32)
    b_partition_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    for i in range(blocks):
        if not IS_SINGLE:
            _, b_x = load_scores(scores, o_scores, m_read, i * BLOCK + o_block, K, loss_options.activation)
        b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX)
        b_p = probability_of(b_base, b_low, IS_ENTMAX)
        b_sum, b_lost, b_ties = accumulate_others(b_x, b_p, largest, b_sum, b_lost, b_ties)
        if HAS_Z_LOSS:
            b_terms = tl.where(b_x == largest[:, None], 0.0, partition_term(b_base, b_low, IS_ENTMAX))
            b_partition, b_partition_lost = accumulate(b_partition, b_partition_lost, b_terms)
    complement = sum_of_others(b_sum, b_lost, b_ties, probability_of(-tau, -tau_low, IS_ENTMAX))
    others = complement
    if HAS_Z_LOSS:
        others = sum_of_others(b_partition, b_partition_lost, b_ties, partition_term(-tau, -tau_low, IS_ENTMAX))
    return complement, others


@triton.jit
def fenchel_young(
    scores,
    targets,
    losses,
    gradient,
    N,
    K,
    stride_scores,
    stride_targets,
    stride_gradient,
    loss_options,
    IS_ENTMAX: tl.constexpr,
    IS_SOFT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Losses, and gradients unless `gradient` is None; it may be the scores."""
    HAS_Z_LOSS: tl.constexpr = loss_options.z_scale is not None
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_targets, o_gradient = i_rows * stride_scores, i_rows * stride_targets, i_rows * stride_gradient
    o_block = tl.arange(0, BLOCK)
    label, row_weight, z_weight, m_counted, m_read = row_weights(
        targets, i_rows, m_rows, K, loss_options, IS_SOFT=IS_SOFT, IS_SPREAD=False
    )
    factor, total, m_targets = weights_of_targets(
        targets, o_targets, m_read, K, label, row_weight, loss_options, IS_SOFT=IS_SOFT, ROWS=ROWS, BLOCK=BLOCK
    )
    if not HAS_Z_LOSS:
        m_counted = m_counted & (m_targets | ~m_read)
    b_raw, b_x = load_scores(scores, o_scores, m_read, o_block, K, loss_options.activation)
    if IS_SINGLE:
        largest = tl.max(b_x, axis=1)
    else:
        largest = largest_of_row(scores, o_scores, m_read, K, loss_options.activation, ROWS=ROWS, BLOCK=BLOCK)
    tau, tau_low = find_threshold(
        b_x,
        largest,
        scores,
        o_scores,
        m_read,
        K,
        loss_options.activation,
        IS_ENTMAX=IS_ENTMAX,
        IS_SINGLE=IS_SINGLE,
        ROWS=ROWS,
        BLOCK=BLOCK,
    )
    row = (largest, tau, tau_low)
    blocks = tl.cdiv(K, BLOCK)
    complement, others = sums_of_other_classes(
        scores,
        o_scores,
        m_read,
        o_block,
        blocks,
        K,
        b_x,
        row,
        loss_options,
        IS_ENTMAX=IS_ENTMAX,
        IS_SINGLE=IS_SINGLE,
        ROWS=ROWS,
        BLOCK=BLOCK,
    )
    z_slope = tl.zeros_like(complement)
    if HAS_Z_LOSS:
        z = partition_of(largest, tau, tau_low, others, IS_ENTMAX)
        z_slope = z_loss_slope(z, z_weight, loss_options.z_scale)

    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    for i in range(blocks):
        # Backwards: the blocks read last are still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        if not IS_SINGLE:
            b_raw, b_x = load_scores(scores, o_scores, m_read, o_classes, K, loss_options.activation)
        b_y = target_tile(
            targets, o_targets, m_read, o_classes, K, label, loss_options.smoothing, None, IS_SOFT=IS_SOFT
        )
        b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_ENTMAX)
        b_p = probability_of(b_base, b_low, IS_ENTMAX)
        b_gap = gap_of(b_x, b_p, b_y, largest, complement, total)
        b_sum, b_lost = accumulate(b_sum, b_lost, loss_terms(b_base, b_y, b_gap, IS_ENTMAX))
        if gradient is not None:
            b_gradient = factor[:, None] * b_gap
            if HAS_Z_LOSS:
                # The slope may be infinite, as Z may; a class of probability 0 has no share of it.
                b_gradient = b_gradient + tl.where(b_p == 0.0, 0.0, z_slope[:, None] * b_p)
            b_gradient = activation_vjp(b_gradient, b_raw, loss_options.activation)
            b_gradient = tl.where(m_counted[:, None], b_gradient, 0.0)
            store_tile(gradient, o_gradient, m_rows, o_classes, K, b_gradient)
    loss, lost = sum_of_row(b_sum, b_lost)
    loss = factor * (loss + lost)
    if HAS_Z_LOSS:
        loss = add_z_loss(tl.where(m_targets | ~m_read, loss, 0.0), z, z_weight, loss_options.z_scale)
    tl.store(losses + i_rows, tl.where(m_counted, loss, 0.0), mask=m_rows)
