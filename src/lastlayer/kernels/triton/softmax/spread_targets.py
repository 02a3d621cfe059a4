"""The cross-entropy of targets that are spread over classes, soft or smoothed: the sum over classes, and the gradient."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row
from lastlayer.kernels.triton.rows.activation import activation_vjp
from lastlayer.kernels.triton.rows.targets import target_tile
from lastlayer.kernels.triton.rows.tiles import load_scores, store_tile
from lastlayer.kernels.triton.softmax.partition import below_maximum, times_pair_of_row
from lastlayer.kernels.triton.softmax.statistics import terms_of_tile


@triton.jit
def distances(b_x, b_y, largest):
    """y·(max − x), zero where y is, even for x = −∞."""
    return tl.where(b_y != 0.0, b_y * -below_maximum(b_x, largest[:, None]), 0.0)


@triton.jit
def spread_gradient(b_x, b_p, b_y, largest, complement, total, row_weight, z_slope):
    """row weight·(p (T − y) − y (1 − p)) + z_slope·p; `complement` is 1 − p of the largest class."""
    b_complement = tl.where(b_x == largest[:, None], complement[:, None], 1.0 - b_p)
    b_factor = tl.fma(row_weight[:, None], total[:, None] - b_y, z_slope[:, None])
    # The slope may be infinite, as Z may; a class of probability 0 has no share of it.
    b_others = tl.where(b_p == 0.0, 0.0, b_p * b_factor)
    return tl.fma(-(row_weight[:, None] * b_y), b_complement, b_others)


@triton.jit
def sum_spread_targets(
    scores,
    targets,
    gradient,
    o_scores,
    o_targets,
    o_gradient,
    masks,
    o_block,
    blocks,
    K,
    tile,
    row,
    target,
    loss_options,
    IS_SOFT: tl.constexpr,
    IS_SINGLE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Σ y·(max − x) as a pair; also writes the gradient unless it is None. A row of one block is `tile`: (raw scores, scores, terms)."""
    EVICTION: tl.constexpr = "" if IS_SINGLE else "evict_first"
    m_rows, m_counted, m_read = masks
    largest, exponent, inverse, inverse_low, complement, z_slope = row
    label, total, row_weight = target
    b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
    for i in range(blocks):
        # Backwards: the blocks read last are still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        if IS_SINGLE:
            b_raw, b_x, b_terms = tile
        else:
            b_raw, b_x = load_scores(scores, o_scores, m_read, o_classes, K, loss_options.activation, EVICTION)
            if gradient is not None:
                b_terms = terms_of_tile(b_x, largest, exponent, False)
        b_y = target_tile(
            targets,
            o_targets,
            m_read,
            o_classes,
            K,
            label,
            loss_options.smoothing,
            loss_options.weight,
            IS_SOFT=IS_SOFT,
        )
        b_sum, b_lost = accumulate(b_sum, b_lost, distances(b_x, b_y, largest))
        if gradient is not None:
            b_p = times_pair_of_row(b_terms, inverse, inverse_low, False)
            b_gradient = spread_gradient(b_x, b_p, b_y, largest, complement, total, row_weight, z_slope)
            b_gradient = activation_vjp(b_gradient, b_raw, loss_options.activation)
            b_gradient = tl.where(m_counted[:, None], b_gradient, 0.0)
            store_tile(gradient, o_gradient, m_rows, o_classes, K, b_gradient, EVICTION)
    return sum_of_row(b_sum, b_lost)
