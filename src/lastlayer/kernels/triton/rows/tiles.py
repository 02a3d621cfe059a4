"""Tiles of ROWS × BLOCK scores: which rows a program has, and how a tile is read and written. Addresses have 64 bits."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.rows.activation import activate

#: The default eviction policy: the cache decides how long it keeps a line.
NORMAL = tl.constexpr("")


@triton.jit
def rows_of_program(N, ROWS: tl.constexpr):
    """The indices of this program's rows, and a mask of those that exist."""
    i_rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    return i_rows, i_rows < N


@triton.jit
def load_tile(pointer, o_rows, m_rows, o_classes, K, other, EVICTION: tl.constexpr = NORMAL):
    """A tile in float32; `other` outside."""
    m_tile = m_rows[:, None] & (o_classes < K)[None, :]
    address = pointer + o_rows[:, None] + o_classes[None, :]
    return tl.load(address, mask=m_tile, other=other, eviction_policy=EVICTION).to(tl.float32)


@triton.jit
def store_tile(pointer, o_rows, m_rows, o_classes, K, b_values, EVICTION: tl.constexpr = NORMAL):
    """Round a tile once, to the dtype of `pointer`, and store it."""
    m_tile = m_rows[:, None] & (o_classes < K)[None, :]
    address = pointer + o_rows[:, None] + o_classes[None, :]
    tl.store(address, b_values.to(pointer.dtype.element_ty), mask=m_tile, eviction_policy=EVICTION)


@triton.jit
def load_scores(scores, o_rows, m_rows, o_classes, K, activation, EVICTION: tl.constexpr = NORMAL):
    """A tile of scores, raw and after the activation; both −∞ outside."""
    b_raw = load_tile(scores, o_rows, m_rows, o_classes, K, float("-inf"), EVICTION)
    b_x = activate(b_raw, activation)
    if activation[0] is not None:
        # A softcap makes −∞ finite.
        b_x = tl.where(m_rows[:, None] & (o_classes < K)[None, :], b_x, float("-inf"))
    return b_raw, b_x
