"""Gradients of half-typed weights: float32 sums in little memory, scaling in place, and stacking of matrices.

A sum is stored in two planes of 16 bits: its upper half in the gradient's memory, its lower half in one more plane of that size. The
last terms round it once, in place, to the gradient's dtype.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

#: Numbers per block; blocks per program of `scale_numbers`, which mostly has nothing to do.
BLOCK, TIMES = 2048, 16
#: Rows and columns per program of `copy_two`.
ROWS, COLUMNS = 8, 512


@triton.jit
def add_terms(
    terms,
    upper,
    lower,
    gradient,
    size,
    HAS_SUM: tl.constexpr,
    IS_LAST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The sum in two planes, plus float32 terms: as planes again, or rounded to the gradient, in the upper plane's memory."""
    o = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    m = o < size
    total = tl.load(terms + o, mask=m, other=0.0)
    if HAS_SUM:
        high = tl.load(upper + o, mask=m, other=0).to(tl.int32) << 16
        low = tl.load(lower + o, mask=m, other=0).to(tl.int32) & 0xFFFF
        total += (high | low).to(tl.float32, bitcast=True)
    if IS_LAST:
        tl.store(gradient + o, total.to(gradient.dtype.element_ty), mask=m)
    else:
        bits = total.to(tl.int32, bitcast=True)
        tl.store(upper + o, (bits >> 16).to(tl.int16), mask=m)
        tl.store(lower + o, bits.to(tl.int16), mask=m)


@triton.jit
def scale_numbers(
    numbers, factor, counted, size, columns, HAS_COUNTED: tl.constexpr, BLOCK: tl.constexpr, TIMES: tl.constexpr
):
    """numbers · factor, rounded once, and 0 in rows that do not count, whatever the factor; a factor of 1 reads nothing."""
    by = tl.load(factor)
    if by != 1.0:
        for i in range(TIMES):
            o = (tl.program_id(0).to(tl.int64) * TIMES + i) * BLOCK + tl.arange(0, BLOCK)
            m = o < size
            values = tl.load(numbers + o, mask=m, other=0.0).to(tl.float32) * by
            if HAS_COUNTED:
                # Not a product with zero: infinity and NaN times zero are NaN.
                values = tl.where(tl.load(counted + o // columns, mask=m, other=0) != 0, values, 0.0)
            tl.store(numbers + o, values.to(numbers.dtype.element_ty), mask=m)


@triton.jit
def copy_two(
    head,
    tail,
    out,
    rows_of_head,
    N,
    columns,
    stride_head,
    stride_tail,
    stride_out,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Copy two matrices into one, one below the other."""
    i = tl.program_id(1).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    o = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))[None, :]
    m = (i < N)[:, None] & (o < columns)
    m_head = (i < rows_of_head)[:, None]
    b_head = tl.load(head + (i * stride_head)[:, None] + o, mask=m & m_head, other=0.0)
    b_tail = tl.load(tail + ((i - rows_of_head) * stride_tail)[:, None] + o, mask=m & (m_head == 0), other=0.0)
    tl.store(out + (i * stride_out)[:, None] + o, tl.where(m_head, b_head, b_tail), mask=m)


def add(
    terms: torch.Tensor,
    gradient: torch.Tensor,
    lower: torch.Tensor | None = None,
    *,
    has_sum: bool = False,
    is_last: bool = True,
) -> None:
    """Add float32 terms to a sum; the last terms finish the gradient. All are contiguous and of one shape.

    Args:
        gradient: of a half type; its memory is the upper plane until then.
        lower: the other plane, int16; None where the first terms are the last.
        has_sum: whether terms were added before.
    """
    size = terms.numel()
    if size == 0:
        return
    upper = gradient.view(torch.int16)
    with torch.cuda.device_of(terms):
        add_terms[(triton.cdiv(size, BLOCK),)](
            terms,
            upper,
            lower,
            gradient,
            size,
            HAS_SUM=has_sum,
            IS_LAST=is_last,
            BLOCK=BLOCK,
            num_warps=BLOCK // 256,
        )


def scale_in_place(numbers: torch.Tensor, factor: torch.Tensor, counted: torch.Tensor | None = None) -> None:
    """Multiply contiguous float32 or half numbers by one float32 number on the device; by 1 without reading them.

    `counted` (N,), bool, one per row of numbers (N, ...): rows where it is false become 0, unless the factor is 1.
    """
    size = numbers.numel()
    if size:
        with torch.cuda.device_of(numbers):
            grid = (triton.cdiv(size, BLOCK * TIMES),)
            scale_numbers[grid](
                numbers,
                factor,
                None if counted is None else counted.view(torch.uint8),
                size,
                size // len(numbers),
                HAS_COUNTED=counted is not None,
                BLOCK=BLOCK,
                TIMES=TIMES,
                num_warps=BLOCK // 256,
            )


def stack(head: torch.Tensor, tail: torch.Tensor, out: torch.Tensor) -> None:
    """Copy two matrices with equal columns into a third, one below the other; rows may have any stride."""
    rows, columns = out.shape
    grid = (triton.cdiv(columns, COLUMNS), triton.cdiv(rows, ROWS))
    strides = (head.stride(0), tail.stride(0), out.stride(0))
    with torch.cuda.device_of(out):
        copy_two[grid](head, tail, out, len(head), rows, columns, *strides, ROWS=ROWS, BLOCK=COLUMNS)
