"""The cross-entropy of a label, one class that has the whole target: its loss, its entry of the gradient, and all other entries."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import two_product, two_sum
from lastlayer.kernels.triton.rows.activation import activate, activation_vjp
from lastlayer.kernels.triton.rows.tiles import load_scores, store_tile
from lastlayer.kernels.triton.softmax.partition import below_maximum, times_pair_of_row
from lastlayer.kernels.triton.softmax.statistics import term_of, terms_of_tile


@triton.jit
def label_gradient(x_label, p_label, largest, complement, total, row_weight, z_slope):
    """The label's entry of the gradient: z_slope·p − row weight·T·(1 − p)."""
    complement = tl.where(x_label == largest, complement, 1.0 - p_label)
    return tl.fma(-(row_weight * total), complement, tl.where(p_label == 0.0, 0.0, p_label * z_slope))


@triton.jit
def label_loss(x_label, largest, total, log_total, log_total_low):
    """T·((max − x) + log(Σ / max_term)), zero where T is."""
    distance, distance_low = two_sum(largest, -x_label)
    distance = -below_maximum(x_label, largest)
    distance_low = tl.where(distance < float("inf"), distance_low, 0.0)
    # The maximum has no distance from itself, even if it is infinite.
    distance_low = tl.where(x_label == largest, 0.0, distance_low)
    return tl.where(total != 0.0, total * (distance + (log_total + (distance_low + log_total_low))), 0.0 * log_total)


@triton.jit
def label_results(raw_label, row, target, log_total, log_total_low, m_counted, loss_options):
    """(loss, the label's entry of the gradient, factor as a pair); factor·term is the gradient of every other class."""
    largest, exponent, inverse, inverse_low, complement, z_slope = row
    _, total, row_weight = target
    x_label = activate(raw_label, loss_options.activation)
    loss = label_loss(x_label, largest, total, log_total, log_total_low)
    slope = tl.fma(row_weight, total, z_slope)
    factor, factor_low = two_product(slope, inverse)
    factor_low = tl.fma(slope, inverse_low, factor_low)
    term = term_of(x_label, largest, exponent, IS_HALF=False)
    p = tl.fma(term, inverse, term * inverse_low)
    entry = label_gradient(x_label, p, largest, complement, total, row_weight, z_slope)
    entry = activation_vjp(entry, raw_label, loss_options.activation)
    # The terms of rows that do not count are finite: a zero factor makes their gradient zero.
    return loss, entry, (tl.where(m_counted, factor, 0.0), tl.where(m_counted, factor_low, 0.0))


@triton.jit
def write_label_gradient(
    scores,
    gradient,
    o_scores,
    o_gradient,
    masks,
    o_block,
    blocks,
    K,
    tile,
    row,
    factors,
    loss_options,
    IS_SINGLE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write factor·term for every class, which is right for all but the label. A row of one block is `tile`: (raw scores, terms)."""
    IS_COARSE: tl.constexpr = scores.dtype.element_ty != tl.float32 and not IS_SINGLE
    EVICTION: tl.constexpr = "" if IS_SINGLE else "evict_first"
    m_rows, m_counted, m_read = masks
    largest, exponent = row
    factor, factor_low = factors
    for i in range(blocks):
        # Backwards: the blocks read last are still in the cache.
        o_classes = (blocks - 1 - i) * BLOCK + o_block
        if IS_SINGLE:
            b_raw, b_terms = tile
        else:
            b_raw, b_x = load_scores(scores, o_scores, m_read, o_classes, K, loss_options.activation, EVICTION)
            b_terms = terms_of_tile(b_x, largest, exponent, IS_COARSE)
        b_gradient = times_pair_of_row(b_terms, factor, factor_low, IS_COARSE)
        if loss_options.z_scale is not None:
            # An infinite factor times a zero term is NaN.
            b_gradient = tl.where(b_terms == 0.0, 0.0, b_gradient)
        b_gradient = activation_vjp(b_gradient, b_raw, loss_options.activation)
        if loss_options.activation.softcap is not None or loss_options.activation.temperature is not None:
            b_gradient = tl.where(m_counted[:, None], b_gradient, 0.0)
        store_tile(gradient, o_gradient, m_rows, o_classes, K, b_gradient, EVICTION)
