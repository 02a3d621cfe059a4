"""Sums of a slice's gradients over blocks of rows: weight and bias of its classes, and its part of the gradient of the input."""

from __future__ import annotations

import torch

from lastlayer.backends.torch.memory import new_tensor
from lastlayer.torch.linear.blocks import Accumulator, Block, Gradients, Wanted
from lastlayer.torch.linear.matmul import add_in_float32, input_gradient
from lastlayer.torch.linear.plan import goes_by_slabs
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


class SliceGradients:
    """Adds the blocks' slopes; the input's part is float32 at least, since the parts of all processes are added before rounding."""

    def __init__(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        wanted: Wanted,
        height: int,
        rows: Tensor | None,
        is_wide: bool,
    ) -> None:
        self._weight, self._wanted = weight, wanted
        self._own = Accumulator(input, weight, bias, wanted._replace(input=False), height, rows, is_wide)
        wide = torch.promote_types(input.dtype, torch.float32)
        self._input = new_tensor(input, input.shape if wanted.input else (0,), wide).zero_()

    @property
    def tail(self) -> Tensor | None:
        """Memory for the scores of the last block; None to use the workspace."""
        return self._own.tail

    def add(self, block: Block, slopes: Tensor) -> None:
        """Add one block's part: slopes · weight, slopesᵀ · input, and the sum of slopes."""
        if self._wanted.input and slopes.shape[1]:
            self._input[block.place] = self._times_weight(slopes.to(self._weight.dtype))
        self._own.add(block, slopes)

    def add_rows(self, slopes: Tensor, directions: Tensor) -> None:
        """Add slope · direction to the input's part of each row (N, D); a slope of 0 adds nothing."""
        self._input += torch.where(slopes[:, None] == 0, 0.0, slopes[:, None] * directions).to(self._input.dtype)

    def finish(self, wire: Wire) -> Gradients:
        """The gradients; that of the input is the sum over all processes, in one all-reduce."""
        own = self._own.finish()
        return own._replace(input=wire.add(self._input))

    def _times_weight(self, slopes: Tensor) -> Tensor:
        if slopes.dtype.itemsize <= 2:
            total = slopes.new_empty((slopes.shape[0], self._weight.shape[1]), dtype=torch.float32)
            add_in_float32(total, slopes, self._weight, has_sum=False)
            return total
        if goes_by_slabs(slopes.device, slopes.dtype, slopes.shape[1]):
            return input_gradient(slopes, self._weight)
        return slopes @ self._weight
