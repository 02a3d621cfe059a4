"""Cross-entropy of rows, −Σ y log p with every option, and its gradient where the scores lie or elsewhere.

With T = Σ y: loss = T·log(Σ / top) + Σ y·(max − x), every term ≥ 0, and gradient p·(T − y) − y·(1 − p), in which 1 − p of the
largest class is made of the others. Losses and gradients are the rows' own, not reduced.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import accumulate, sum_of_row, two_product, two_sum
from lastlayer.kernels.triton.rows.activation import activate, pull_back
from lastlayer.kernels.triton.rows.targets import rows_that_count, target_tile, total_of_targets
from lastlayer.kernels.triton.rows.tiles import load_scores, rows_of_program, store_tile
from lastlayer.kernels.triton.softmax.partition import (
    below_maximum,
    inverse_of_total,
    log_of_total,
    log_partition,
    times_pair,
)
from lastlayer.kernels.triton.softmax.split_rows import (
    FINISH,
    PUBLISH,
    part_of_ticket,
    publish,
    statistics_of_slices,
    take_ticket,
    weights_in_row,
)
from lastlayer.kernels.triton.softmax.statistics import (
    is_any_far,
    statistics_of_blocks,
    statistics_of_tile,
    weight_of,
    weights_of,
)


@triton.jit
def distances(b_x, b_y, largest):
    """y·(max − x), zero where y is, even at −∞."""
    return tl.where(b_y != 0.0, b_y * -below_maximum(b_x, largest[:, None]), 0.0)


@triton.jit
def spread_gradient(b_x, b_p, b_y, largest, rest, total, row_weight, pull):
    """Of targets on many classes: row weight·(p (T − y) − y (1 − p)) + pull·p, `rest` being 1 − p of the largest."""
    b_rest = tl.where(b_x == largest[:, None], rest[:, None], 1.0 - b_p)
    b_elsewhere = tl.fma(row_weight[:, None], total[:, None] - b_y, pull[:, None])
    # The pull may be infinite, as Z is; a class without mass has no part in it.
    b_others = tl.where(b_p == 0.0, 0.0, b_p * b_elsewhere)
    return tl.fma(-(row_weight[:, None] * b_y), b_rest, b_others)


@triton.jit
def gradient_of_label(x_label, p_label, largest, rest, total, row_weight, pull):
    """The entry of a label that has all of T: pull·p − row weight·T·(1 − p)."""
    rest = tl.where(x_label == largest, rest, 1.0 - p_label)
    return tl.fma(-(row_weight * total), rest, tl.where(p_label == 0.0, 0.0, p_label * pull))


@triton.jit
def loss_of_label(x_label, largest, total, log_total, log_total_low):
    """T·((max − x) + log(Σ / top)), zero where the label weighs nothing."""
    distance, distance_low = two_sum(largest, -x_label)
    distance = -below_maximum(x_label, largest)
    distance_low = tl.where(distance < float("inf"), distance_low, 0.0)
    # At the maximum itself, infinite or not, there is no distance.
    distance_low = tl.where(x_label == largest, 0.0, distance_low)
    return tl.where(total != 0.0, total * (distance + (log_total + (distance_low + log_total_low))), 0.0 * log_total)


@triton.jit
def cross_entropy(
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
    published=None,
    SLICES: tl.constexpr = 1,
    SLICE: tl.constexpr = 1,
    PAD: tl.constexpr = 1,
    PART: tl.constexpr = 0,
):
    """Losses, and gradients of scores that are read before they may be overwritten. Rows of spread targets are not shared."""
    IS_SPREAD: tl.constexpr = IS_SOFT or HAS_SMOOTHING
    IS_SINGLE: tl.constexpr = BLOCKS == 1
    # Of spread targets p (T − y) and y (1 − p) cancel, so that p needs all its digits.
    IS_COARSE: tl.constexpr = scores.dtype.element_ty != tl.float32 and HAS_GRADIENT and not (IS_SINGLE or IS_SPREAD)
    EVICTION: tl.constexpr = "" if IS_SINGLE else "evict_first"
    # What is lost of the others' sum, and the label's score, beside the sum.
    WORDS: tl.constexpr = 3
    if SLICES == 1:
        begin, end = 0, K
        i_rows, m_rows = rows_of_program(N, ROWS)
        m_own = m_rows
    else:
        ticket = take_ticket(published, PART)
        i_rows, m_rows, begin, end = part_of_ticket(ticket, N, K, SLICES, SLICE)
        m_own = i_rows * SLICES == ticket
    o_scores, o_targets, o_gradient = i_rows * stride_scores, i_rows * stride_targets, i_rows * stride_gradient
    o_block = begin + tl.arange(0, BLOCK)
    label, row_weight, partition_weight, m_counted, m_read = rows_that_count(
        targets,
        weight,
        sample_weight,
        i_rows,
        m_rows,
        K,
        ignore_index,
        IS_SOFT,
        HAS_WEIGHT,
        HAS_SAMPLE_WEIGHT,
        IS_SPREAD,
    )
    total, m_targets = total_of_targets(
        targets, weight, o_targets, m_read, K, label, keep, even, IS_SOFT, HAS_SMOOTHING, HAS_WEIGHT, ROWS, BLOCK
    )
    if IS_SPREAD and not HAS_Z_LOSS:
        m_counted = m_counted & (m_targets | ~m_read)
    m_label = m_read & (label >= begin) & (label < end)
    if not IS_SPREAD:
        raw_label = tl.load(scores + o_scores + label, mask=m_label, other=float("-inf")).to(tl.float32)
    if IS_SINGLE:
        b_raw, b_x = load_scores(
            scores, o_scores, m_read, o_block, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
        )
        largest, frame, top, others, others_low, b_weights = statistics_of_tile(b_x, True, False)
    if PART != FINISH:
        if not IS_SINGLE:
            largest, frame, top, others, others_low = statistics_of_blocks(
                scores,
                o_scores,
                m_read,
                begin,
                end,
                K,
                softcap,
                temperature,
                HAS_SOFTCAP,
                HAS_TEMPERATURE,
                True,
                False,
                HAS_GRADIENT or IS_SPREAD,
                ROWS,
                BLOCK,
            )
        if SLICES > 1:
            publish(published, ticket, largest, frame, others, others_low, raw_label, SLICES, WORDS)
    if PART != PUBLISH:
        if SLICES > 1:
            if IS_SINGLE:
                slice_largest = largest
            largest, frame, top, others, others_low, raw_label = statistics_of_slices(
                published, ticket, True, False, SLICES, PAD, WORDS
            )
            if IS_SINGLE and HAS_GRADIENT:
                if is_any_far(largest):
                    # No power of two leads to a far row's frame.
                    _, b_x = load_scores(
                        scores, o_scores, m_read, o_block, K, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE
                    )
                    b_weights = weights_of(b_x, largest, frame, False)
                else:
                    b_weights = weights_in_row(b_weights, slice_largest, frame)
        log_total, log_total_low = log_of_total(top, others, others_low)
        inverse, inverse_low = inverse_of_total(top, others, others_low)
        # 1 − p of the largest class.
        rest = tl.fma(others, inverse, others * inverse_low)

        loss = total * log_total
        pull = tl.zeros_like(loss)
        if HAS_Z_LOSS:
            z = log_partition(largest, top + others, log_total, log_total_low)
            pull = tl.where(partition_weight == 0.0, 0.0, 2.0 * z_loss * z * partition_weight)
        if not IS_SPREAD:
            x_label = activate(raw_label, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
            loss = loss_of_label(x_label, largest, total, log_total, log_total_low)
            # Of the other classes, row weight·T·p + pull·p.
            factor, factor_low = two_product(tl.fma(row_weight, total, pull), inverse)
            factor_low = tl.fma(tl.fma(row_weight, total, pull), inverse_low, factor_low)
            weight_label = weight_of(x_label, largest, frame, False)
            p_label = tl.fma(weight_label, inverse, weight_label * inverse_low)
            own = gradient_of_label(x_label, p_label, largest, rest, total, row_weight, pull)
            own = pull_back(own, raw_label, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
            # Of rows that do not count the weights are numbers, which this makes zero.
            factor = tl.where(m_counted, factor, 0.0)
            factor_low = tl.where(m_counted, factor_low, 0.0)

        b_sum = tl.zeros([ROWS, BLOCK], tl.float32)
        b_lost = tl.zeros([ROWS, BLOCK], tl.float32)
        if IS_SPREAD or HAS_GRADIENT:
            # Every thread has read the label's score before the first gradient may overwrite it.
            tl.debug_barrier()
            blocks = BLOCKS if BLOCKS > 0 else tl.cdiv(end - begin, BLOCK)
            for i in range(blocks):
                # From the end: what was read last is still in the cache.
                o_classes = (blocks - 1 - i) * BLOCK + o_block
                if not IS_SINGLE:
                    b_raw, b_x = load_scores(
                        scores,
                        o_scores,
                        m_read,
                        o_classes,
                        K,
                        softcap,
                        temperature,
                        HAS_SOFTCAP,
                        HAS_TEMPERATURE,
                        EVICTION,
                    )
                if HAS_GRADIENT and not IS_SINGLE:
                    b_weights = weights_of(b_x, largest, frame, IS_COARSE)
                if IS_SPREAD:
                    b_y = target_tile(
                        targets,
                        weight,
                        o_targets,
                        m_read,
                        o_classes,
                        K,
                        label,
                        keep,
                        even,
                        IS_SOFT,
                        HAS_SMOOTHING,
                        HAS_WEIGHT,
                    )
                    b_sum, b_lost = accumulate(b_sum, b_lost, distances(b_x, b_y, largest))
                if HAS_GRADIENT:
                    if IS_SPREAD:
                        b_p = times_pair(b_weights, inverse, inverse_low, False)
                        b_gradient = spread_gradient(b_x, b_p, b_y, largest, rest, total, row_weight, pull)
                    else:
                        b_gradient = times_pair(b_weights, factor, factor_low, IS_COARSE)
                        if HAS_Z_LOSS:
                            b_gradient = tl.where(b_weights == 0.0, 0.0, b_gradient)
                    b_gradient = pull_back(b_gradient, b_raw, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
                    if IS_SPREAD or HAS_SOFTCAP or HAS_TEMPERATURE:
                        b_gradient = tl.where(m_counted[:, None], b_gradient, 0.0)
                    store_tile(gradient, o_gradient, m_rows, o_classes, K, b_gradient, EVICTION)
            if HAS_GRADIENT and not IS_SPREAD:
                # After every thread's own stores, one of which was of the label.
                tl.debug_barrier()
                tl.store(gradient + o_gradient + label, own.to(gradient.dtype.element_ty), mask=m_label)
        if IS_SPREAD:
            spread, lost = sum_of_row(b_sum, b_lost)
            loss = loss + (spread + lost)
        loss = row_weight * loss
        if HAS_Z_LOSS:
            loss = tl.where(m_targets | ~m_read, loss, 0.0)
            loss = loss + tl.where(partition_weight == 0.0, 0.0, partition_weight * z_loss * z * z)
        tl.store(losses + i_rows, tl.where(m_counted, loss, 0.0), mask=m_own)
