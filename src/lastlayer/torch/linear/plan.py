"""How a linear head will be cut into blocks of rows, what that allocates, and what it computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lastlayer.dispatch import EXTENSION

#: Less memory than this costs more time than it is worth: the matrix products of few rows lose their efficiency. On CUDA it is
#: more, for a product has to fill many multiprocessors.
SMALLEST_BUDGET, SMALLEST_ON_CUDA = 64 * 2**20, 256 * 2**20
#: Rows of a matrix product's tile.
_TILE, _TILE_ON_CUDA = 16, 128
#: What matrix libraries take to lay out their operands and kernels to work in; of a small budget at most two fifths.
_RESERVE = 14 * 2**20
#: Classes whose scores are computed at a time where the CPU's kernels put them in their places.
SLAB = 4096


def goes_by_slabs(device: torch.device, dtype: torch.dtype, classes: int) -> bool:
    """Whether the scores of a block are computed some classes at a time, as products with large weights on the CPU are."""
    return EXTENSION is not None and device.type == "cpu" and dtype.itemsize > 2 and classes > 2 * SLAB


@dataclass(frozen=True)
class LinearPlan:
    """The blocks of a `linear_loss` with all its gradients, in bytes and floating-point operations."""

    rows: int
    features: int
    classes: int
    dtype: torch.dtype
    #: Rows whose scores exist at one time, and how many such blocks there are.
    block_rows: int
    blocks: int
    #: The scores of one block: what exists above inputs and gradients, but for a few numbers a row.
    workspace_bytes: int
    #: Gradients of input and weight; float32 sums of the weight's where half types take more than one block.
    gradient_bytes: int
    #: What storing the scores and their gradient would take.
    unfused_bytes: int
    #: Of the three matrix products.
    operations: int

    def __str__(self) -> str:
        return (
            f"{self.rows} × {self.features} inputs, {self.classes} classes, {str(self.dtype).removeprefix('torch.')}: "
            f"{self.blocks} blocks of {self.block_rows} rows, {_mebibytes(self.workspace_bytes)} of scores at a time "
            f"instead of {_mebibytes(self.unfused_bytes)}; gradients {_mebibytes(self.gradient_bytes)}; "
            f"{self.operations / 1e12:.3g} Tflop"
        )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.4g} MiB"


def plan(
    rows: int,
    features: int,
    classes: int,
    dtype: torch.dtype = torch.float32,
    *,
    device: torch.device | str = "cpu",
    max_memory: int | None = None,
) -> LinearPlan:
    """What `linear_loss` of (rows, features) inputs and (classes, features) weights allocates, before it runs.

    Args:
        device: where it will run.
        max_memory: bytes above inputs and gradients, all but 14 MiB of them for scores (of less than 35 MiB three fifths);
            by default the larger of 64 MiB and a third of the weight's size. One row is the least.

    Raises:
        ValueError: a size or `max_memory` below 1.

    >>> str(plan(4096, 512, 32000))
    '4096 × 512 inputs, 32000 classes, float32: 12 blocks of 352 rows, 48.47 MiB of scores at a time instead of 1000 MiB; gradients 70.5 MiB; 0.403 Tflop'
    """
    for name, size in (("features", features), ("classes", classes)):
        if size < 1:
            raise ValueError(f"{name} is {size}; a head needs at least 1.")
    if rows < 0:
        raise ValueError(f"rows is {rows}; give 0 or more.")
    place = torch.device(device)
    height = block_rows(rows, features, classes, dtype, place, max_memory)
    blocks = -(-rows // height)
    # A half type's sum over blocks has 4 bytes a number; on CUDA two of them are the gradient's own.
    sum_bytes = 0 if blocks == 1 or dtype.itemsize > 2 else 2 if place.type == "cuda" else 4
    return LinearPlan(
        rows=rows,
        features=features,
        classes=classes,
        dtype=dtype,
        block_rows=height,
        blocks=blocks,
        workspace_bytes=min(rows, height) * _row_bytes(classes, dtype, place),
        gradient_bytes=rows * features * dtype.itemsize + classes * features * (dtype.itemsize + sum_bytes),
        unfused_bytes=2 * rows * classes * dtype.itemsize,
        operations=6 * rows * features * classes,
    )


def block_rows(
    rows: int, features: int, classes: int, dtype: torch.dtype, device: torch.device, max_memory: int | None
) -> int:
    """Rows of a block: as few blocks as the memory allows, of equal height, so that none is a small rest.

    Raises:
        ValueError: `max_memory` is below 1.
    """
    if max_memory is not None and max_memory < 1:
        raise ValueError(f"max_memory is {max_memory} bytes; give at least one row's worth, or None.")
    is_cuda, weight_bytes = device.type == "cuda", classes * features * dtype.itemsize
    budget = max_memory or (
        max(SMALLEST_ON_CUDA, weight_bytes * 2 // 3) if is_cuda else max(SMALLEST_BUDGET, weight_bytes // 3)
    )
    for_scores = max(budget - _RESERVE, budget * 3 // 5)
    most = max(1, min(rows, for_scores // _row_bytes(classes, dtype, device)))
    blocks = -(-rows // most) if rows else 1
    height = max(1, -(-rows // blocks))
    # Matrix products run best on whole tiles of rows.
    tile = _TILE_ON_CUDA if is_cuda else _TILE
    rounded = -(-height // tile) * tile
    return rounded if rounded <= most else height


def _row_bytes(classes: int, dtype: torch.dtype, device: torch.device) -> int:
    """The scores of one row in the workspace, and those that wait to be put in their places."""
    return (classes + SLAB * goes_by_slabs(device, dtype, classes)) * dtype.itemsize
