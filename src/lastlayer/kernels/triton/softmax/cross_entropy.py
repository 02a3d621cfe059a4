"""Cross-entropy of rows, −Σ y log p with every option, and its gradient.

With T = Σ y: loss = T·log(Σ / max_term) + Σ y·(max − x), every term ≥ 0. The gradient is p·(T − y) − y·(1 − p); 1 − p of the largest
class is the sum of the other probabilities. Losses and gradients are per row, not reduced.

A target is either a *label*, one class that has all of T, or *spread* over classes: soft, or smoothed. The two have a loop each.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.rows.targets import row_weights, total_of_targets
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program
from lastlayer.kernels.triton.rows.z_terms import add_z_loss, z_loss_slope
from lastlayer.kernels.triton.softmax.label_target import label_results, write_label_gradient
from lastlayer.kernels.triton.softmax.partition import (
    inverse_of_total,
    log_of_total,
    log_partition,
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
from lastlayer.kernels.triton.softmax.spread_targets import sum_spread_targets
from lastlayer.kernels.triton.softmax.statistics import (
    is_any_far,
    statistics_of_blocks,
    statistics_of_tile,
    terms_of_tile,
)


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
