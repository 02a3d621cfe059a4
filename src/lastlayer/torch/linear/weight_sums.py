"""The gradient of a head's weight, Σ slopesᵀ · input over blocks of rows: four ways to sum it, by dtype and device.

`slopes` are the gradients of the scores.
"""

from __future__ import annotations

from typing import Protocol

import torch

from lastlayer.backends.torch import gpu
from lastlayer.backends.torch.memory import new_tensor
from lastlayer.torch.linear.matmul import add_in_float32, multiply_in_float32
from lastlayer.torch.linear.plan import PLANES_SLAB, WHOLE_SLAB, padded_classes, tail_start

Tensor = torch.Tensor

#: Bytes of a bfloat16 product before it is added to its float32 sum.
_SLAB = 16 * 2**20


class WeightSum(Protocol):
    """Adds the products of the blocks."""

    #: The gradient after `finish`.
    gradient: Tensor

    @property
    def tail(self) -> Tensor | None:
        """Memory for the scores of the last block; None to use the workspace."""

    def add(self, slopes: Tensor, part: Tensor) -> None:
        """Add slopesᵀ · part, the slopes (n, K) and inputs (n, D) of one block."""

    def finish(self) -> None:
        """Called after the last block."""


def weight_sum(weight: Tensor, input: Tensor, rows: Tensor | None, height: int, *, has_tail: bool = True) -> WeightSum:
    """The sum for a weight and the inputs of all rows, in blocks of `height` rows; only the indices `rows` are visited, if given.

    `has_tail` allows a sum whose memory holds the scores of the last block.
    """
    if weight.dtype == torch.float16:
        return WideSum(weight)
    count = input.shape[0] if rows is None else rows.shape[0]
    if weight.dtype.itemsize > 2 or count <= height:
        return PlainSum(weight)
    if not gpu.sums_in_planes(weight):
        return FloatSum(weight)
    start = tail_start(count, height, *weight.shape)
    if start is None or not has_tail:
        return PlanesSum(weight, -(-count // height))
    return WholeSum(weight, input if rows is None else input[rows], height, start)


class PlainSum:
    """In the weight's dtype: float32 and wider, or a single block of bfloat16."""

    tail = None

    def __init__(self, weight: Tensor) -> None:
        self.gradient, self._has_any = new_tensor(weight, weight.shape), False

    def add(self, slopes: Tensor, part: Tensor) -> None:
        if self._has_any:
            torch.addmm(self.gradient, slopes.T, part, out=self.gradient)
        else:
            torch.mm(slopes.T, part, out=self.gradient)
        self._has_any = True

    def finish(self) -> None:
        if not self._has_any:
            self.gradient.zero_()


class WideSum:
    """float16: in float32, rounded in backward. A sum of many unscaled slopes overflows float16, and their mean underflows."""

    tail = None

    def __init__(self, weight: Tensor) -> None:
        self.gradient, self._has_any = new_tensor(weight, weight.shape, torch.float32), False

    def add(self, slopes: Tensor, part: Tensor) -> None:
        add_in_float32(self.gradient, slopes.T, part, self._has_any)
        self._has_any = True

    def finish(self) -> None:
        if not self._has_any:
            self.gradient.zero_()


class FloatSum:
    """bfloat16 on the CPU: products are rounded to bfloat16 and summed over blocks in float32, a slab of classes at a time."""

    tail = None

    def __init__(self, weight: Tensor) -> None:
        self.gradient, self._has_any = new_tensor(weight, weight.shape, torch.float32), False

    def add(self, slopes: Tensor, part: Tensor) -> None:
        height = max(1, _SLAB // max(1, part.shape[1] * slopes.dtype.itemsize))
        for start in range(0, slopes.shape[1], height):
            product = slopes[:, start : start + height].T @ part
            if self._has_any:
                self.gradient[start : start + height] += product
            else:
                self.gradient[start : start + height] = product
        self._has_any = True

    def finish(self) -> None:
        if not self._has_any:
            self.gradient.zero_()


class PlanesSum:
    """bfloat16 on CUDA, any number of blocks: a float32 sum, split into two planes of 16 bits.

    The upper half of every float32 is stored in the memory of the gradient, the lower half in a second plane. The last block rounds
    the upper half to bfloat16, so the sum needs no float32 copy of the weight.
    """

    tail = None

    def __init__(self, weight: Tensor, parts: int) -> None:
        classes, features = weight.shape
        self.gradient, self._parts, self._added = weight.new_empty(weight.shape), parts, 0
        self._lower = weight.new_empty(weight.shape, dtype=torch.int16)
        self._height = min(classes, max(1, PLANES_SLAB // (4 * max(1, features))))
        self._slab = weight.new_empty(self._height, features, dtype=torch.float32)

    def add(self, slopes: Tensor, part: Tensor) -> None:
        self._added += 1
        is_last = self._added == self._parts
        for start in range(0, slopes.shape[1], self._height):
            some = slopes[:, start : start + self._height].T
            place, terms = slice(start, start + len(some)), self._slab[: len(some)]
            multiply_in_float32(some, part, terms)
            gpu.add_terms(terms, self.gradient[place], self._lower[place], has_sum=self._added > 1, is_last=is_last)

    def finish(self) -> None:
        assert self._added == self._parts


class WholeSum:
    """bfloat16 on CUDA, two blocks in one matrix product: the scores of the second block use the memory of the gradient.

    They are stored at its end. First come the classes whose gradient does not overwrite them, a slab at a time, from the slopes of
    both blocks copied next to each other. Then the slopes of the other classes move into the workspace, over slopes that are done.
    """

    def __init__(self, weight: Tensor, input: Tensor, height: int, start: int) -> None:
        classes, features = weight.shape
        self.gradient, self._input = weight.new_empty(weight.shape), input
        self._blocks: list[Tensor] = []
        rows, stride = input.shape[0] - height, padded_classes(classes)
        flat = self.gradient.view(-1)[start : start + rows * stride]
        self.tail = flat.view(rows, stride)[:, :classes]
        self._free = start // features
        self._width = max(128, WHOLE_SLAB // (input.shape[0] * weight.element_size()) // 128 * 128)

    def add(self, slopes: Tensor, part: Tensor) -> None:
        self._blocks.append(slopes)

    def finish(self) -> None:
        head, tail = self._blocks
        classes, free = self.gradient.shape[0], self._free
        side_by_side = head.new_empty(self._input.shape[0], self._width)
        self._multiply(0, free, head, tail, side_by_side)
        moved = head[: len(tail), : classes - free]
        moved.copy_(tail[:, free:])
        self._multiply(free, classes, head[:, free:], moved, side_by_side)

    def _multiply(self, first: int, last: int, head: Tensor, tail: Tensor, side_by_side: Tensor) -> None:
        """The gradient of classes `first` to `last`; `head` and `tail` start at class `first`."""
        for start in range(first, last, self._width):
            stop = min(start + self._width, last)
            some = side_by_side[:, : stop - start]
            gpu.stack(head[:, start - first : stop - first], tail[:, start - first : stop - first], some)
            torch.mm(some.T, self._input, out=self.gradient[start:stop])
