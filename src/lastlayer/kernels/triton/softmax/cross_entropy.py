"""Cross-entropy of rows, −Σ y log p with every option, and its gradient.

With T = Σ y: loss = T·log(Σ / max_term) + Σ y·(max − x), every term ≥ 0. The gradient is p·(T − y) − y·(1 − p); 1 − p of the largest
class is the sum of the other probabilities. Losses and gradients are per row, not reduced.

A target is either a *label*, one class that has all of T, or *spread* over classes: soft, or smoothed. The two have a loop each.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row, two_product, two_sum
from lastlayer.kernels.triton.rows.activation import activate, activation_vjp
from lastlayer.kernels.triton.rows.targets import row_weights, target_tile, total_of_targets
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.rows.z_terms import add_z_loss, z_loss_slope
from lastlayer.kernels.triton.softmax.partition import (
    below_maximum,
    inverse_of_total,
    log_of_total,
    log_partition,
    times_pair_of_row,
)
from lastlayer.kernels.triton.softmax.split_rows import (
    FINISH,
    PUBLISH,
    publish,
    span_of_ticket,
    statistics_of_slices,
    take_ticket,
    terms_in_row,
)
from lastlayer.kernels.triton.softmax.statistics import (
    is_any_far,
    statistics_of_blocks,
    statistics_of_tile,
    term_of,
    terms_of_tile,
)


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
def terms_at_row_exponent(
    b_terms, slice_largest, largest, exponent, scores, o_scores, m_read, o_classes, K, activation
):
    """A slice's terms at the exponent of its row; of a far row computed again, since no power of two rescales them."""
    if is_any_far(largest):
        _, b_x = load_scores(scores, o_scores, m_read, o_classes, K, activation)
        b_terms = terms_of_tile(b_x, largest, exponent, False)
    else:
        b_terms = terms_in_row(b_terms, slice_largest, exponent)
    return b_terms


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


@triton.jit
def cross_entropy(
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
    IS_SOFT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    published=None,
    SLICES: tl.constexpr = 1,
    SLICE: tl.constexpr = 1,
    PAD: tl.constexpr = 1,
    PHASE: tl.constexpr = 0,
):
    """Losses, and gradients unless `gradient` is None; it may be the scores. Rows of spread targets are never split."""
    HAS_GRADIENT: tl.constexpr = gradient is not None
    HAS_Z_LOSS: tl.constexpr = loss_options.z_scale is not None
    IS_SPREAD: tl.constexpr = IS_SOFT or loss_options.smoothing.label_share is not None
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    IS_SPLIT: tl.constexpr = SLICES > 1
    # With the sum, a slice publishes the sum's low part and the label's score.
    WORDS: tl.constexpr = 3
    if IS_SPLIT:
        ticket = take_ticket(published, PHASE)
        i_rows, m_rows, begin, end = span_of_ticket(ticket, N, K, SLICES, SLICE)
        m_stores_loss = i_rows * SLICES == ticket
    else:
        begin, end = 0, K
        i_rows, m_rows = rows_of_program(N, ROWS)
        m_stores_loss = m_rows
    o_scores, o_targets, o_gradient = i_rows * stride_scores, i_rows * stride_targets, i_rows * stride_gradient
    o_block = begin + tl.arange(0, BLOCK)

    label, row_weight, z_weight, m_counted, m_read = row_weights(
        targets, i_rows, m_rows, K, loss_options, IS_SOFT=IS_SOFT, IS_SPREAD=IS_SPREAD
    )
    total, m_targets = total_of_targets(
        targets,
        o_targets,
        m_read,
        K,
        label,
        loss_options.smoothing,
        loss_options.weight,
        IS_SOFT=IS_SOFT,
        ROWS=ROWS,
        BLOCK=BLOCK,
    )
    if IS_SPREAD and not HAS_Z_LOSS:
        m_counted = m_counted & (m_targets | ~m_read)
    masks = (m_rows, m_counted, m_read)
    m_label = m_read & (label >= begin) & (label < end)
    if not IS_SPREAD:
        raw_label = tl.load(scores + o_scores + label, mask=m_label, other=float("-inf")).to(tl.float32)

    if IS_SINGLE:
        b_raw, b_x = load_scores(scores, o_scores, m_read, o_block, K, loss_options.activation)
        largest, exponent, max_term, others, others_low, b_terms = statistics_of_tile(
            b_x, IS_MAX_SEPARATE=True, IS_HALF=False
        )
    elif PHASE != FINISH:
        largest, exponent, max_term, others, others_low = statistics_of_blocks(
            scores,
            o_scores,
            m_read,
            begin,
            end,
            K,
            loss_options.activation,
            IS_MAX_SEPARATE=True,
            IS_HALF=False,
            IS_READ_TWICE=HAS_GRADIENT or IS_SPREAD,
            ROWS=ROWS,
            BLOCK=BLOCK,
        )
    if IS_SPLIT and PHASE != FINISH:
        publish(published, ticket, largest, exponent, others, others_low, raw_label, SLICES=SLICES, WORDS=WORDS)

    if PHASE != PUBLISH:
        if IS_SPLIT:
            if IS_SINGLE:
                slice_largest = largest
            largest, exponent, max_term, others, others_low, raw_label = statistics_of_slices(
                published, ticket, IS_MAX_SEPARATE=True, IS_HALF=False, SLICES=SLICES, PAD=PAD, WORDS=WORDS
            )
            if IS_SINGLE and HAS_GRADIENT:
                b_terms = terms_at_row_exponent(
                    b_terms,
                    slice_largest,
                    largest,
                    exponent,
                    scores,
                    o_scores,
                    m_read,
                    o_block,
                    K,
                    loss_options.activation,
                )
        log_total, log_total_low = log_of_total(max_term, others, others_low)
        inverse, inverse_low = inverse_of_total(max_term, others, others_low)
        # 1 − p of the largest class.
        complement = tl.fma(others, inverse, others * inverse_low)
        z_slope = tl.zeros_like(total * log_total)
        if HAS_Z_LOSS:
            z = log_partition(largest, max_term + others, log_total, log_total_low)
            z_slope = z_loss_slope(z, z_weight, loss_options.z_scale)

        row = (largest, exponent, inverse, inverse_low, complement, z_slope)
        target = (label, total, row_weight)

        blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
        if IS_SPREAD:
            # Every thread has read the scores before a gradient may overwrite them.
            tl.debug_barrier()
            spread, lost = sum_spread_targets(
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
                (b_raw, b_x, b_terms) if IS_SINGLE else None,
                row,
                target,
                loss_options,
                IS_SOFT=IS_SOFT,
                IS_SINGLE=IS_SINGLE,
                ROWS=ROWS,
                BLOCK=BLOCK,
            )
            loss = total * log_total + (spread + lost)
        else:
            loss, entry, factors = label_results(
                raw_label, row, target, log_total, log_total_low, m_counted, loss_options
            )
            if HAS_GRADIENT:
                # Every thread has read the label's score before a gradient may overwrite it.
                tl.debug_barrier()
                write_label_gradient(
                    scores,
                    gradient,
                    o_scores,
                    o_gradient,
                    masks,
                    o_block,
                    blocks,
                    K,
                    (b_raw, b_terms) if IS_SINGLE else None,
                    (largest, exponent),
                    factors,
                    loss_options,
                    IS_SINGLE=IS_SINGLE,
                    BLOCK=BLOCK,
                )
                # The label's entry replaces what the thread that holds its class has stored.
                tl.debug_barrier()
                tl.store(gradient + o_gradient + label, entry.to(gradient.dtype.element_ty), mask=m_label)
        loss = row_weight * loss
        if HAS_Z_LOSS:
            loss = add_z_loss(tl.where(m_targets | ~m_read, loss, 0.0), z, z_weight, loss_options.z_scale)
        tl.store(losses + i_rows, tl.where(m_counted, loss, 0.0), mask=m_stores_loss)
