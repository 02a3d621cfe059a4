"""Matrix products of a block: with large weights on the CPU cut into slabs that suit BLAS, and half types in float32."""

from __future__ import annotations

import torch

from lastlayer.backends.torch import cpu
from lastlayer.backends.torch.memory import new_tensor
from lastlayer.torch.linear.plan import PLANES_SLAB, SLAB, TILE

Tensor = torch.Tensor

#: Bytes of the partial gradients of the input that are summed at the end.
_PARTS = 4 * 2**20
#: Bytes of the float32 copy of a part of each operand. Both fit into the reserve of a plan.
_WIDENED = 4 * 2**20


def scores_by_slabs(part: Tensor, weight: Tensor, bias: Tensor | None, columns: Tensor, scores: Tensor) -> None:
    """The scores of some rows, a slab of classes at a time.

    BLAS packs its second operand in every product. If that operand is the block's few rows instead of the weight, the product is a
    tenth faster, but its result is transposed: a kernel transposes it back.
    """
    rows, classes = scores.shape
    for first in range(0, classes, SLAB):
        some = weight[first : first + SLAB]
        slab = columns[: len(some) * rows].view(len(some), rows)
        if bias is None:
            torch.mm(some, part.T, out=slab)
        else:
            torch.addmm(bias[first : first + SLAB, None], some, part.T, out=slab)
        cpu.place_columns(slab, scores[:, first : first + SLAB])


def scores_in_float32(part: Tensor, weight: Tensor, bias: Tensor | None, scores: Tensor) -> None:
    """float32 scores of inputs and weights of a half type: the sums of the products are not rounded to the half type."""
    if _is_widened_by_torch(part):
        torch.mm(part, weight.T, out_dtype=torch.float32, out=scores)  # type: ignore[call-overload]
        if bias is not None:
            scores += bias
        return
    rows = part.float()
    height = max(1, _WIDENED // (4 * max(1, weight.shape[1])))
    buffer = rows.new_empty(min(height, len(weight)) * weight.shape[1])
    for first in range(0, len(weight), height):
        place = slice(first, first + height)
        some, part_of_scores = _widened(weight[place], buffer), scores[:, place]
        # With `out`, since autocast rounds the operands of other products to the half type again.
        if bias is None:
            torch.mm(rows, some.T, out=part_of_scores)
        else:
            torch.addmm(bias[place].float(), rows, some.T, out=part_of_scores)


def input_gradient(slopes: Tensor, weight: Tensor) -> Tensor:
    """slopes (n, K) · weight (K, D).

    A small result of a long sum: if threads divide the result, each one reads both operands completely. Here each thread sums a part
    of the classes instead. For whole tiles of rows the transposed product is faster.
    """
    (rows, classes), features, threads = slopes.shape, weight.shape[1], torch.get_num_threads()
    size = rows * features * slopes.element_size()
    parts = threads if threads * size <= _PARTS else 1
    each = classes // parts
    left = slopes[:, : each * parts].view(rows, parts, each).transpose(0, 1)
    right = weight[: each * parts].view(parts, each, features)
    is_whole = rows % TILE == 0
    total = _sum_of_products(right.mT, left.mT).T if is_whole else _sum_of_products(left, right)
    if each * parts < classes:
        total.addmm_(slopes[:, each * parts :], weight[each * parts :])
    return total


def _sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """Σ over the first dimension of left (P, m, k) · right (P, k, n)."""
    products = new_tensor(left, (left.shape[0], left.shape[1], right.shape[2]))
    torch.bmm(left, right, out=products)
    total, *rest = products
    for product in rest:
        total += product
    return total


def add_in_float32(total: Tensor, left: Tensor, right: Tensor, has_sum: bool) -> None:
    """Add left (m, k) · right (k, n) of float16 to a float32 sum (m, n), or start it; no partial sum is rounded to float16."""
    if _is_widened_by_torch(left):
        if not has_sum:
            multiply_in_float32(left, right, total)
            return
        height = max(1, PLANES_SLAB // (4 * max(1, total.shape[1])))
        for start in range(0, len(total), height):
            place = slice(start, start + height)
            total[place] += torch.mm(left[place], right, out_dtype=torch.float32)  # type: ignore[call-overload]
        return
    inner = max(1, right.shape[0])
    depth = min(inner, max(1, _WIDENED // (4 * max(1, right.shape[1]))))
    height = max(1, _WIDENED // (4 * depth))
    # One buffer for all parts: new memory for each would add up to several times as much.
    of_left, of_right = total.new_empty(min(height, len(total)) * depth), total.new_empty(depth * right.shape[1])
    for k in range(0, inner, depth):
        below = _widened(right[k : k + depth], of_right)
        for start in range(0, len(total), height):
            above = _widened(left[start : start + height, k : k + depth], of_left)
            part = total[start : start + height]
            if has_sum or k:
                torch.addmm(part, above, below, out=part)
            else:
                torch.mm(above, below, out=part)


def _widened(part: Tensor, buffer: Tensor) -> Tensor:
    """A float32 copy of a part of an operand in a buffer, in the memory order of the operand."""
    rows, columns = part.shape
    flat = buffer[: part.numel()]
    copy = flat.view(columns, rows).T if part.stride(0) == 1 else flat.view(rows, columns)
    # copy_ into another dtype does not see a tensor's negative bit.
    return copy.copy_(part.resolve_neg())


def multiply_in_float32(left: Tensor, right: Tensor, out: Tensor) -> None:
    """A product of half types, in float32 if torch offers it on this device."""
    if _is_widened_by_torch(left):
        torch.mm(left, right, out_dtype=torch.float32, out=out)  # type: ignore[call-overload]
    else:
        out.copy_(left @ right)


def _is_widened_by_torch(operand: Tensor) -> bool:
    """Whether torch multiplies half types on this device with a float32 result."""
    return operand.is_cuda and "dtype_out" in torch.ops.aten.mm.overloads()  # type: ignore[no-untyped-call]
