"""The Tsallis family at α = 2 (sparsemax) and α = 1.5 (entmax): p and Ω* of a row from base = z − τ (see threshold.py)."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.float_float import two_sum
from lastlayer.kernels.triton.rows.tiles import load_scores
from lastlayer.kernels.triton.sparse.threshold import positive


@triton.jit
def probability_of(b_base, b_low, IS_ENTMAX: tl.constexpr):
    """p of a base and its low part, zero below the support; a NaN stays."""
    b_base = positive(b_base)
    return tl.fma(b_base, b_base, 2.0 * b_base * b_low) if IS_ENTMAX else b_base


@triton.jit
def partition_term(b_base, b_low, IS_ENTMAX: tl.constexpr):
    """base² for sparsemax, base³ for 1.5-entmax, of a base and its low part."""
    b_base = positive(b_base)
    b_square = b_base * b_base
    if IS_ENTMAX:
        return tl.fma(b_square, b_base, 3.0 * b_square * b_low)
    else:
        return tl.fma(b_base, b_base, 2.0 * b_base * b_low)


@triton.jit
def partition_of(largest, tau, tau_low, others, IS_ENTMAX: tl.constexpr):
    """Ω*: max + ½ (a² + Σ base²) or max + ⅔ (a² (3 − a) + Σ base³), a = 1 + τ; `others` is the sum without one class at the maximum.

    No term is negative. As a function of τ it has its minimum at the threshold, so an error of τ has no first-order effect.
    """
    above, above_low = two_sum(1.0, tau)
    above += above_low + tau_low
    if IS_ENTMAX:
        return largest + tl.div_rn(2.0 * tl.fma(above * above, 3.0 - above, others), 3.0)
    else:
        return largest + 0.5 * tl.fma(above, above, others)


@triton.jit
def largest_of_row(
    scores,
    o_rows,
    m_rows,
    K,
    activation,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The maximum of rows of many blocks."""
    b_best = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)
    for start in range(0, K, BLOCK):
        o_classes = start + tl.arange(0, BLOCK)
        _, b_x = load_scores(scores, o_rows, m_rows, o_classes, K, activation)
        b_best = tl.maximum(b_best, b_x)
    return tl.max(b_best, axis=1)
