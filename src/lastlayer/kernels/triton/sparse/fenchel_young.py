"""The Fenchel–Young loss of sparsemax and 1.5-entmax of rows with every option, and its gradient.

loss = row factor·(D(y, p) + Σ y·max(0, slack)): a Bregman divergence, and how far below the support the targets lie. Every
term is ≥ 0. Gradient p (T − y) − y (1 − p), in which 1 − p of the largest class is made of the others. Class weights weigh the
row by Σ w y of its unsmoothed targets. Losses and gradients are the rows' own, not reduced.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.activation import pull_back
from lastlayer.kernels.triton.rows.targets import rows_that_count, target_tile, total_of_targets
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.sparse.forward import largest_of_row, partition_of, partition_term, power_of
from lastlayer.kernels.triton.sparse.threshold import base_pair_of, complement_of_largest, find_threshold, rest_of_tile


@triton.jit
def gap_of(b_x, b_p, b_y, largest, rest, total):
    """p (T − y) − y (1 − p)."""
    b_rest = tl.where(b_x == largest[:, None], rest[:, None], 1.0 - b_p)
    return tl.fma(b_p, total[:, None] - b_y, -b_y * b_rest)


@triton.jit
def loss_terms(b_base, b_y, b_gap, IS_SQUARE: tl.constexpr):
    """D(y, p) of every class, and y·slack where its base is negative."""
    b_slack = tl.where((b_y != 0.0) & (b_base < 0.0), -b_y * b_base, 0.0)
    if IS_SQUARE:
        # (√y − √p)² (√y + √p/2) / (α(α − 1)), the difference of the roots from that of y and p.
        b_root_y, b_root_p = tl.sqrt_rn(b_y), tl.where(b_base <= 0.0, 0.0, b_base)
        b_sum = b_root_y + b_root_p
        b_difference = tl.div_rn(b_gap, tl.where(b_sum == 0.0, 1.0, b_sum))
        b_divergence = b_difference * b_difference * (tl.fma(b_root_p, 0.5, b_root_y) * (4.0 / 3.0))
        # Half of what the base lacks is x − max that is lacking.
        return b_divergence + 2.0 * b_slack
    else:
        return 0.5 * b_gap * b_gap + b_slack


@triton.jit
def fenchel_young(
    scores,
    targets,
    weight,
    sample_weight,
    losses,
    gradient,
    N,
    K,
    stride_scores,
    stride_targets,
    stride_gradient,
    ignore_index,
    keep,
    even,
    z_loss,
    softcap,
    temperature,
    IS_SQUARE: tl.constexpr,
    IS_SOFT: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    HAS_SAMPLE_WEIGHT: tl.constexpr,
    HAS_SMOOTHING: tl.constexpr,
    HAS_Z_LOSS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    HAS_GRADIENT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Losses, and gradients of scores that are read before they may be overwritten."""
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    i_rows, m_rows = rows_of_program(N, ROWS)
    o_scores, o_targets, o_gradient = i_rows * stride_scores, i_rows * stride_targets, i_rows * stride_gradient
    o_block = tl.arange(0, BLOCK)
    label, row_weight, partition_weight, m_counted, m_read = rows_that_count(
        targets, weight, sample_weight, i_rows, m_rows, K, ignore_index, IS_SOFT, HAS_WEIGHT, HAS_SAMPLE_WEIGHT, False
    )
    total, m_targets = total_of_targets(
        targets, weight, o_targets, m_read, K, label, keep, even, IS_SOFT, HAS_SMOOTHING, False, ROWS, BLOCK
    )
    factor = row_weight
    if HAS_WEIGHT:
        weight_of_targets, m_weighed = total_of_targets(
            targets, weight, o_targets, m_read, K, label, keep, even, IS_SOFT, False, True, ROWS, BLOCK
        )
        factor = row_weight * weight_of_targets
        m_targets = m_targets & m_weighed
    if not HAS_Z_LOSS:
        m_counted = m_counted & (m_targets | ~m_read)
    b_raw, b_x = load_scores(scores, o_scores, m_read, o_block, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
    if IS_SINGLE:
        largest = tl.max(b_x, axis=1)
    else:
        largest = largest_of_row(
            scores, o_scores, m_read, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE, ROWS, BLOCK
        )
    tau, tau_low = find_threshold(
        b_x, largest, scores, o_scores, m_read, K, softcap, temperature,
        HAS_SOFTCAP, HAS_TEMPERATURE, IS_SQUARE, IS_SINGLE, ROWS, BLOCK,
    )  # fmt: skip

    blocks = tl.cdiv(K, BLOCK)
    b_rest = tl.zeros([ROWS, BLOCK], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    b_ties = tl.zeros([ROWS, BLOCK], tl.int32)
    b_partition = tl.zeros([ROWS, BLOCK], tl.float32)
    b_partition_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    for i in range(blocks):
        if not IS_SINGLE:
            b_raw, b_x = load_scores(
                scores, o_scores, m_read, i * BLOCK + o_block, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
            )
        b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE)
        b_p = power_of(b_base, b_low, IS_SQUARE)
        b_rest, b_lost, b_ties = rest_of_tile(b_x, b_p, largest, b_rest, b_lost, b_ties)
        if HAS_Z_LOSS:
            b_terms = tl.where(b_x == largest[:, None], 0.0, partition_term(b_base, b_low, IS_SQUARE))
            b_partition, b_partition_lost = accumulate(b_partition, b_partition_lost, b_terms)
    rest = complement_of_largest(b_rest, b_lost, b_ties, power_of(-tau, -tau_low, IS_SQUARE))
    pull = tl.zeros_like(rest)
    if HAS_Z_LOSS:
        largest_term = partition_term(-tau, -tau_low, IS_SQUARE)
        others = complement_of_largest(b_partition, b_partition_lost, b_ties, largest_term)
        z = partition_of(largest, tau, tau_low, others, IS_SQUARE)
        pull = tl.where(partition_weight == 0.0, 0.0, 2.0 * z_loss * z * partition_weight)

    b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    for i in range(blocks):
        # From the end: what was read last is still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        if not IS_SINGLE:
            b_raw, b_x = load_scores(
                scores, o_scores, m_read, o_classes, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
            )
        b_y = target_tile(
            targets, weight, o_targets, m_read, o_classes, K, label, keep, even, IS_SOFT, HAS_SMOOTHING, False
        )
        b_base, b_low = base_pair_of(b_x, largest, tau, tau_low, IS_SQUARE)
        b_p = power_of(b_base, b_low, IS_SQUARE)
        b_gap = gap_of(b_x, b_p, b_y, largest, rest, total)
        b_sum, b_lost = accumulate(b_sum, b_lost, loss_terms(b_base, b_y, b_gap, IS_SQUARE))
        if HAS_GRADIENT:
            b_gradient = factor[:, None] * b_gap
            if HAS_Z_LOSS:
                # The pull may be infinite, as Z is; a class without mass has no part in it.
                b_gradient = b_gradient + tl.where(b_p == 0.0, 0.0, pull[:, None] * b_p)
            b_gradient = pull_back(b_gradient, b_raw, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
            b_gradient = tl.where(m_counted[:, None], b_gradient, 0.0)
            store_tile(gradient, o_gradient, m_rows, o_classes, K, b_gradient)
    loss, lost = sum_of_row(b_sum, b_lost)
    loss = factor * (loss + lost)
    if HAS_Z_LOSS:
        loss = tl.where(m_targets | ~m_read, loss, 0.0)
        loss = loss + tl.where(partition_weight == 0.0, 0.0, partition_weight * z_loss * z * z)
    tl.store(losses + i_rows, tl.where(m_counted, loss, 0.0), mask=m_rows)
