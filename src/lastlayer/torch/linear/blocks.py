"""The pass over blocks of rows: one matrix product into a reused workspace, a row kernel in place, two more products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.backends.torch import gpu
from lastlayer.backends.torch.memory import new_tensor
from lastlayer.backends.torch.reduction import inverse, reduce_rows, row_denominators
from lastlayer.backends.torch.rows import loss_rows
from lastlayer.losses import LossOptions, counted_rows
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.margins.at_labels import LabelScores
from lastlayer.torch.linear.matmul import add_in_float32, input_gradient, scores_by_slabs, scores_in_float32
from lastlayer.torch.linear.plan import SLAB, goes_by_slabs, padded_classes, sum_dtype
from lastlayer.torch.linear.weight_sums import weight_sum

Tensor = torch.Tensor


class Wanted(NamedTuple):
    """Which gradients are computed."""

    input: bool
    weight: bool
    bias: bool


class Gradients(NamedTuple):
    """Gradients of the sum of losses, in `sum_dtype`; empty tensors if not wanted."""

    input: Tensor
    weight: Tensor
    bias: Tensor


class LossGradients(NamedTuple):
    """`Gradients`, and those of the scores at the labels, float64, if they are given apart."""

    input: Tensor
    weight: Tensor
    bias: Tensor
    labels: Tensor


class Block(NamedTuple):
    """Some rows: their place (a slice or indices), their inputs, and their scores in the workspace."""

    place: slice | Tensor
    input: Tensor
    scores: Tensor


def scores_of_blocks(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    height: int,
    rows: Tensor | None = None,
    tail: Callable[[], Tensor | None] = lambda: None,
    is_wide: bool = False,
) -> Iterator[Block]:
    """The blocks in turn. Each overwrites the scores of the one before in the workspace, or uses the memory that `tail` returns.

    With `rows`, only these rows are visited. With `is_wide`, half inputs have float32 scores.
    """
    count = input.shape[0] if rows is None else rows.shape[0]
    classes = weight.shape[0]
    # Matrix products of half types are slow if rows do not start at a multiple of the vector length.
    stride = padded_classes(classes) if gpu.is_device(input) else classes
    workspace = new_tensor(input, (min(height, count), stride), torch.float32 if is_wide else None)[:, :classes]
    columns = (
        new_tensor(input, (min(height, count) * SLAB,)) if goes_by_slabs(input.device, input.dtype, classes) else None
    )
    for start in range(0, count, height):
        stop = min(start + height, count)
        place = slice(start, stop) if rows is None else rows[start:stop]
        elsewhere = tail() if start else None
        part, scores = input[place], workspace[: stop - start] if elsewhere is None else elsewhere
        if is_wide:
            scores_in_float32(part, weight, bias, scores)
        elif columns is not None:
            scores_by_slabs(part, weight, bias, columns, scores)
        elif bias is None:
            torch.mm(part, weight.T, out=scores)
        else:
            torch.addmm(bias, part, weight.T, out=scores)
        yield Block(place, part, scores)


def begun(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, with the first matrix product launched already: the device computes it while the host prepares the rest."""
    first = list(islice(blocks, 1))

    def all_of_them() -> Iterator[Block]:
        while first:
            yield first.pop()
        yield from blocks

    return all_of_them()


class Accumulator:
    """Sums the gradients of input, weight and bias over blocks, from the gradients of their scores."""

    def __init__(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        wanted: Wanted,
        height: int,
        rows: Tensor | None = None,
        is_wide: bool = False,
    ) -> None:
        self._weight, self._wanted = weight, wanted
        self._narrow = new_tensor(weight, (height, weight.shape[0])) if is_wide and any(wanted) else None
        self.input = new_tensor(input, input.shape if wanted.input else (0,), sum_dtype(input.dtype, input.device))
        if rows is not None and wanted.input:
            # Rows that no block visits have no gradient.
            self.input.zero_()
        has_bias = wanted.bias and bias is not None
        self.bias = weight.new_zeros(
            weight.shape[:1] if has_bias else 0, dtype=torch.promote_types(weight.dtype, torch.float32)
        )
        self._sum = weight_sum(weight, input, rows, height, has_tail=not is_wide) if wanted.weight else None

    @property
    def tail(self) -> Tensor | None:
        """Memory for the scores of the last block; None to use the workspace."""
        return None if self._sum is None else self._sum.tail

    def add(self, block: Block, slopes: Tensor) -> None:
        """Add one block's part: slopes · weight, slopesᵀ · input, and the sum of slopes."""
        if self._wanted.bias:
            self.bias += slopes.sum(0, dtype=self.bias.dtype)
        if self._narrow is not None:
            # The products take operands of one dtype: the slopes are rounded only now.
            slopes = self._narrow[: len(slopes)].copy_(slopes)
        if self._wanted.input:
            if slopes.dtype == torch.float16:
                self._add_float16(block.place, slopes)
            elif goes_by_slabs(slopes.device, slopes.dtype, slopes.shape[1]):
                self.input[block.place] = input_gradient(slopes, self._weight)
            elif isinstance(block.place, slice):
                torch.mm(slopes, self._weight, out=self.input[block.place])
            else:
                self.input[block.place] = slopes @ self._weight
        if self._sum is not None:
            self._sum.add(slopes, block.input)

    def finish(self) -> Gradients:
        """The gradients; zero if no row counted."""
        if self._sum is None:
            return Gradients(self.input, self._weight.new_empty(0), self.bias)
        self._sum.finish()
        return Gradients(self.input, self._sum.gradient, self.bias)

    def _add_float16(self, place: slice | Tensor, slopes: Tensor) -> None:
        if isinstance(place, slice):
            add_in_float32(self.input[place], slopes, self._weight, has_sum=False)
            return
        rows = self.input.new_empty(slopes.shape[0], self.input.shape[1])
        add_in_float32(rows, slopes, self._weight, has_sum=False)
        self.input[place] = rows


def rows_that_count(targets: Tensor, is_soft: bool, options: LossOptions, family: str) -> Tensor | None:
    """Indices of the rows that count, None for all. Only on the CPU: elsewhere the answer would wait for the device."""
    if targets.device.type != "cpu":
        return None
    is_counted = counted_rows(targets, is_soft, options, family, xp)
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
    is_wide: bool = False,
    label_scores: Tensor | None = None,
) -> tuple[Any, Tensor, LossGradients]:
    """The reduced loss, a scale, and gradients; times the scale they are the gradients of the reduced loss.

    `label_scores` (N,), if given, replace the product's scores at the labels.
    If possible the scale of a mean is part of the slopes already, since scaling the gradients takes one more pass over them.
    """
    rows = rows_that_count(targets, is_soft, options, mapping.family)
    blocks = begun(scores_of_blocks(input, weight, bias, height, rows, lambda: sums.tail, is_wide))
    denominators = row_denominators(targets, is_soft, options)
    scale = inverse(denominators.sum()) if options.reduction == "mean" else denominators.new_ones(())
    place = place_of_scale(input) if options.reduction == "mean" else None
    by_kernel = float(scale) if place == "kernel" else 1.0
    dtype = torch.promote_types(input.dtype, torch.float32)
    # Rows that no block visits have no loss.
    losses = (input.new_empty if rows is None else input.new_zeros)(input.shape[0], dtype=dtype)
    sums = Accumulator(input, weight, bias, wanted, height, rows, is_wide)
    at_labels = LabelScores(label_scores, targets, weight.shape[0])
    weights = options.sample_weight
    if place == "rows":
        weights = scale.to(dtype).expand(input.shape[0]) if weights is None else weights * scale
    if input.dtype == torch.float16 and weights is not None:
        weights, unit = in_units(weights)
    for block in blocks:
        part = replace(options, reduction="none", sample_weight=None if weights is None else weights[block.place])
        at_labels.put(block.place, block.scores)
        values, slopes = loss_rows(
            of_rows(mapping, block.place),
            block.scores,
            targets[block.place],
            is_soft,
            part,
            any(wanted),
            block.scores,
            by_kernel,
        )
        losses[block.place] = values
        if slopes is not None:
            at_labels.take(block.place, slopes)
            sums.add(block, slopes)
    gradients = LossGradients(*sums.finish(), at_labels.slopes)
    if input.dtype == torch.float16 and weights is not None:
        losses, scale = losses * unit.to(dtype), scale * unit
    value = reduce_rows(losses, denominators, "sum" if place == "rows" else options.reduction)
    return value, scale if place is None else torch.ones_like(scale), gradients


def in_units(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Row weights divided by the largest one, and that one: slopes times large weights would overflow float16."""
    largest = torch.cat([weights.abs().reshape(-1), weights.new_zeros(1)]).amax()
    unit = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    return weights / unit, unit


def place_of_scale(input: Tensor) -> str | None:
    """Where the scale of a mean enters the gradients.

    On the CPU the kernel multiplies the slopes by it. On CUDA the host does not know it, so it is part of the row weights. float16
    slopes would underflow: backward multiplies their float32 sums by it (None).
    """
    if input.dtype == torch.float16:
        return None
    if gpu.is_device(input):
        return "rows"
    return "kernel" if input.device.type == "cpu" else None


def of_rows(mapping: ProbabilityMapping, place: slice | Tensor) -> ProbabilityMapping:
    """The mapping; a parameter with one value per row is restricted to these rows."""
    values = {name: value[place] for name, value in mapping.values.items() if isinstance(value, torch.Tensor)}
    return mapping.replace(**values) if values else mapping
