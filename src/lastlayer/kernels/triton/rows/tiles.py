"""Tiles of ROWS × BLOCK scores: where a program's rows lie, and what is read of them. Addresses have 64 bits."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.rows.activation import activate

#: How long the cache keeps what a tile is read from, or written to, unless told.
NORMAL = tl.constexpr("")


@triton.jit
def rows_of_program(N, ROWS: tl.constexpr):
    """The numbers of this program's rows, and which of them exist."""
    i_rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    return i_rows, i_rows < N


@triton.jit
def load_tile(pointer, o_rows, m_rows, o_classes, K, other, EVICTION: tl.constexpr = NORMAL):
    """A tile in float32; `other` outside."""
    m_tile = m_rows[:, None] & (o_classes < K)[None, :]
    place = pointer + o_rows[:, None] + o_classes[None, :]
    return tl.load(place, mask=m_tile, other=other, eviction_policy=EVICTION).to(tl.float32)


@triton.jit
def store_tile(pointer, o_rows, m_rows, o_classes, K, b_values, EVICTION: tl.constexpr = NORMAL):
    """Rounds a tile once, to the dtype that it is stored in."""
    m_tile = m_rows[:, None] & (o_classes < K)[None, :]
    place = pointer + o_rows[:, None] + o_classes[None, :]
    tl.store(place, b_values.to(pointer.dtype.element_ty), mask=m_tile, eviction_policy=EVICTION)


@triton.jit
def load_scores(
    scores,
    o_rows,
    m_rows,
    o_classes,
    K,
    softcap,
    temperature,
    HAS_SOFTCAP: tl.constexpr,
    HAS_TEMPERATURE: tl.constexpr,
    EVICTION: tl.constexpr = NORMAL,
):
    """The scores of a tile as they lie in memory, and as the mapping sees them; −∞ outside, in either."""
    b_raw = load_tile(scores, o_rows, m_rows, o_classes, K, float("-inf"), EVICTION)
    b_x = activate(b_raw, softcap, temperature, HAS_SOFTCAP, HAS_TEMPERATURE)
    if HAS_SOFTCAP:
        # A softcap makes a finite number of −∞.
        b_x = tl.where(m_rows[:, None] & (o_classes < K)[None, :], b_x, float("-inf"))
    return b_raw, b_x
