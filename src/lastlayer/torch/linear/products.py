"""The matrix products of a block with large weights on the CPU, cut so that the matrix library does not lose on them."""

from __future__ import annotations

import torch

from lastlayer.torch import cpu
from lastlayer.torch.linear.plan import SLAB, TILE
from lastlayer.torch.memory import new_tensor

Tensor = torch.Tensor

#: Bytes of the parts of an input's gradient that are summed in the end.
_PARTS = 4 * 2**20


def scores_by_slabs(part: Tensor, weight: Tensor, bias: Tensor | None, columns: Tensor, scores: Tensor) -> None:
    """The scores of some rows, some classes at a time.

    A matrix library lays out the second operand anew in every product. Where that is the block's few rows, not the weight, the
    product is a tenth faster, but has its result the wrong way round.
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


def input_gradient(slopes: Tensor, weight: Tensor) -> Tensor:
    """slopes (n, K) · weight (K, D).

    A small result of a long sum: where threads share out the result, each reads all of its operands. Here each has a part of the
    classes instead. Of whole tiles of rows the transposed product is the faster one.
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
