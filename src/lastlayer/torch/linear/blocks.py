"""The pass over blocks of rows: one matrix product into a reused workspace, a row kernel in place, two more products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch import cpu, gpu
from lastlayer.torch.linear.half_sums import HalfSum
from lastlayer.torch.linear.plan import SLAB, goes_by_slabs
from lastlayer.torch.memory import new_tensor
from lastlayer.torch.reduction import inverse, row_denominators
from lastlayer.torch.rows import loss_rows

Tensor = torch.Tensor

#: Bytes of a half-type product before it is added to its float32 sum.
_SLAB = 16 * 2**20


class Wanted(NamedTuple):
    """Which gradients are computed."""

    input: bool
    weight: bool
    bias: bool


class Gradients(NamedTuple):
    """Gradients of the sum of losses; empty tensors where they are not wanted. Those of half types may be float32 sums."""

    input: Tensor
    weight: Tensor
    bias: Tensor


class Block(NamedTuple):
    """Some rows: where they stand (a slice or indices), their inputs, and their scores in the workspace."""

    place: slice | Tensor
    input: Tensor
    scores: Tensor


def scores_of_blocks(
    input: Tensor, weight: Tensor, bias: Tensor | None, height: int, rows: Tensor | None = None
) -> Iterator[Block]:
    """The blocks in turn; each one's scores lie in the workspace of the one before. `rows` leaves out all other rows."""
    count = input.shape[0] if rows is None else rows.shape[0]
    classes = weight.shape[0]
    workspace = new_tensor(input, (min(height, count), classes))
    columns = (
        new_tensor(input, (min(height, count) * SLAB,)) if goes_by_slabs(input.device, input.dtype, classes) else None
    )
    for start in range(0, count, height):
        stop = min(start + height, count)
        place = slice(start, stop) if rows is None else rows[start:stop]
        part, scores = input[place], workspace[: stop - start]
        if columns is not None:
            _product_by_slabs(part, weight, bias, columns, scores)
        elif bias is None:
            torch.mm(part, weight.T, out=scores)
        else:
            torch.addmm(bias, part, weight.T, out=scores)
        yield Block(place, part, scores)


def _product_by_slabs(part: Tensor, weight: Tensor, bias: Tensor | None, columns: Tensor, scores: Tensor) -> None:
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


class Accumulator:
    """Sums the gradients of input, weight and bias over blocks, from the gradients of their scores.

    `scale` is that of the finished gradients where `is_scaled` says that they take it; others are left to be scaled.
    """

    def __init__(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        wanted: Wanted,
        height: int,
        rows: int,
        scale: Tensor | None = None,
    ) -> None:
        self._input, self._weight, self._wanted, self._has_weight = input, weight, wanted, False
        self._scale = scale if takes_scale(weight) else None
        self.input = new_tensor(input, input.shape if wanted.input else (0,))
        self.weight = new_tensor(
            weight, weight.shape if wanted.weight else (0,), sum_dtype(weight, input.shape[0], height)
        )
        has_bias = wanted.bias and bias is not None
        self.bias = weight.new_zeros(
            weight.shape[:1] if has_bias else 0, dtype=torch.promote_types(weight.dtype, torch.float32)
        )
        self._planes = None
        if wanted.weight and takes_scale(weight):
            self._planes = HalfSum(self.weight, -(-rows // height), self._scale)

    def start(self, has_left_out_rows: bool) -> None:
        """Rows that no block visits have no gradient."""
        if has_left_out_rows and self._wanted.input:
            self.input.zero_()

    def add(self, block: Block, slopes: Tensor) -> None:
        """Add one block's part: slopes · weight, slopesᵀ · input, and the sum of slopes."""
        if self._wanted.input:
            if isinstance(block.place, slice):
                torch.mm(slopes, self._weight, out=self.input[block.place])
            else:
                self.input[block.place] = slopes @ self._weight
        if self._wanted.weight:
            self._add_weight(slopes, block.input)
            self._has_weight = True
        if self._wanted.bias:
            self.bias += slopes.sum(0, dtype=self.bias.dtype)

    def _add_weight(self, slopes: Tensor, part: Tensor) -> None:
        if self._planes is not None:
            self._planes.add(slopes.T, part)
        elif self.weight.dtype == slopes.dtype:
            if self._has_weight:
                torch.addmm(self.weight, slopes.T, part, out=self.weight)
            else:
                torch.mm(slopes.T, part, out=self.weight)
        else:
            # A product of half types is rounded to half; the sum over blocks is kept in float32, some classes at a time.
            height = max(1, _SLAB // (part.shape[1] * slopes.dtype.itemsize))
            for start in range(0, slopes.shape[1], height):
                product = slopes[:, start : start + height].T @ part
                if self._has_weight:
                    self.weight[start : start + height] += product
                else:
                    self.weight[start : start + height] = product

    def finish(self) -> Gradients:
        """The gradients; zero where no row counted."""
        if self._wanted.weight and not self._has_weight:
            self.weight.zero_()
        if self._scale is not None:
            for total in (self.input, self.bias):
                gpu.scale_in_place(total, self._scale)
        return Gradients(self.input, self.weight, self.bias)


def takes_scale(weight: Tensor) -> bool:
    """Whether the sums of gradients are scaled before they are rounded: those of half types on CUDA."""
    return gpu.sums_in_planes(weight)


def sum_dtype(weight: Tensor, rows: int, height: int) -> torch.dtype:
    """In what the gradient of the weight is returned: float32 where a half type's sum over blocks is not yet rounded."""
    is_rounded = weight.dtype.itemsize > 2 or rows <= height or takes_scale(weight)
    return weight.dtype if is_rounded else torch.float32


def rows_that_count(targets: Tensor, is_soft: bool, options: LossOptions) -> Tensor | None:
    """Indices of the rows whose loss is computed, None for all. On the CPU alone: elsewhere it would wait for the device."""
    if targets.device.type != "cpu":
        return None
    is_counted = torch.ones(targets.shape[0], dtype=torch.bool) if is_soft else targets != options.ignore_index
    if options.sample_weight is not None:
        is_counted = is_counted & (options.sample_weight != 0)
    return None if bool(is_counted.all()) else is_counted.nonzero().squeeze(1)


def loss_of_blocks(
    mapping: ProbabilityMapping,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    is_soft: bool,
    options: LossOptions,
    height: int,
    wanted: Wanted,
) -> tuple[Tensor, Tensor, Tensor, Gradients]:
    """Losses (N,), their parts of the mean's denominator (N,), and gradients, which times a scale are those of the reduction."""
    rows = rows_that_count(targets, is_soft, options)
    counts = row_denominators(targets, is_soft, options)
    scale = inverse(counts.sum()) if options.reduction == "mean" else counts.new_ones(())
    dtype = torch.promote_types(input.dtype, torch.float32)
    losses = input.new_zeros(input.shape[0], dtype=dtype)
    count = input.shape[0] if rows is None else rows.shape[0]
    sums = Accumulator(input, weight, bias, wanted, height, count, scale if options.reduction == "mean" else None)
    sums.start(has_left_out_rows=rows is not None)
    for block in scores_of_blocks(input, weight, bias, height, rows):
        part = replace(
            options,
            reduction="none",
            sample_weight=None if options.sample_weight is None else options.sample_weight[block.place],
        )
        values, slopes = loss_rows(
            of_rows(mapping, block.place), block.scores, targets[block.place], is_soft, part, any(wanted), block.scores
        )
        losses[block.place] = values
        if slopes is not None:
            sums.add(block, slopes)
    return losses, counts, torch.ones_like(scale) if takes_scale(weight) else scale, sums.finish()


def of_rows(mapping: ProbabilityMapping, place: slice | Tensor) -> ProbabilityMapping:
    """The mapping with its parameters of rows, where it has any, for those rows."""
    values = {name: value[place] for name, value in mapping.values.items() if isinstance(value, torch.Tensor)}
    return mapping.replace(**values) if values else mapping
