"""How a linear head is cut into blocks of rows, what that allocates, and what it computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lastlayer.arguments import as_integer
from lastlayer.backends import EXTENSION

#: Smallest default budgets in bytes: matrix products of few rows are inefficient, on CUDA even more so, since a product has to fill
#: many multiprocessors.
SMALLEST_BUDGET, SMALLEST_ON_CUDA = 64 * 2**20, 512 * 2**20
#: Rows of a matrix product's tile.
TILE, _TILE_ON_CUDA = 16, 128
#: Bytes reserved for the packed operands of BLAS and the kernels' workspace; at most two fifths of a small budget.
_RESERVE = 14 * 2**20
#: Bytes of the buffers of bfloat16 sums on CUDA, small enough to stay in its cache: copied slopes, and float32 products before
#: they are added.
WHOLE_SLAB, PLANES_SLAB = 64 * 2**20, 32 * 2**20
#: Classes per slab, when the scores of a block are computed a slab at a time on the CPU.
SLAB = 2048


def goes_by_slabs(device: torch.device, dtype: torch.dtype, classes: int) -> bool:
    """Whether the scores of a block are computed a slab of classes at a time: float32 and float64 with large weights on the CPU."""
    return EXTENSION is not None and device.type == "cpu" and dtype.itemsize > 2 and classes > 4 * SLAB


def padded_classes(classes: int) -> int:
    """The row stride of scores on CUDA, in numbers."""
    return -(-classes // 64) * 64


def sum_dtype(dtype: torch.dtype, device: torch.device, *, over_rows: bool = False) -> torch.dtype:
    """The dtype in which a gradient is kept from forward to backward, whatever the number of rows.

    float16 gradients stay float32 until backward knows the scale: unscaled sums of some thousand rows exceed 65504, and sums divided
    by the number of rows fall below 6e−8. A sum over blocks (`over_rows`) of bfloat16 is float32 on the CPU as well; on CUDA its two
    planes are rounded in place.
    """
    is_bfloat16_sum = over_rows and dtype == torch.bfloat16 and device.type != "cuda"
    return torch.float32 if dtype == torch.float16 or is_bfloat16_sum else dtype


def tail_start(rows: int, height: int, classes: int, features: int) -> int | None:
    """The offset in a bfloat16 weight's gradient on CUDA at which the scores of the second block start; they end with it.

    None if there is no second block or it does not fit: the slopes of the classes whose gradient overlaps it must fit into the
    memory of the slopes of all others.
    """
    tail = rows - height
    start = (classes * features - tail * padded_classes(classes)) // 8 * 8
    return start if 0 < tail <= height and start >= -(-classes // 2) * features else None


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
    #: The scores of one block: all memory besides inputs and gradients, except a few numbers per row.
    workspace_bytes: int
    #: Gradients of input and weight, and the float32 sums that they are rounded from: both for float16, that of the weight for
    #: bfloat16 in more than one block.
    gradient_bytes: int
    #: What storing all scores and their gradient would take.
    unfused_bytes: int
    #: Floating-point operations of the three matrix products.
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
    scores_dtype: torch.dtype | None = None,
) -> LinearPlan:
    """What `linear_loss` of (rows, features) inputs and (classes, features) weights allocates, before it runs.

    Args:
        device: where it will run.
        scores_dtype: torch.float32 for float32 scores of half inputs.
        max_memory: bytes besides inputs and gradients.
            - Default on the CPU: the larger of 64 MiB and a third of the weight's size.
            - Default on CUDA: the larger of 512 MiB and 1.6 times the weight's size.
            - Scores get all of it but 14 MiB, or three fifths of a budget below 35 MiB. A block has at least one row.
            - bfloat16 on CUDA in more than one block needs a plane of the weight's size; scores then get at least a quarter.

    Raises:
        ValueError: a size or `max_memory` below 1.

    >>> str(plan(4096, 512, 32000))
    '4096 × 512 inputs, 32000 classes, float32: 11 blocks of 384 rows, 49.88 MiB of scores at a time instead of 1000 MiB; gradients 70.5 MiB; 0.403 Tflop'
    """
    for name, size in (("features", features), ("classes", classes)):
        if size < 1:
            raise ValueError(f"{name} is {size}; a head needs at least 1.")
    if rows < 0:
        raise ValueError(f"rows is {rows}; give 0 or more.")
    place = torch.device(device)
    is_wide = has_wide_scores(scores_dtype, dtype)
    height = block_rows(rows, features, classes, dtype, place, max_memory, is_wide=is_wide)
    is_in_planes = place.type == "cuda" and dtype == torch.bfloat16
    blocks = -(-rows // height)
    # The sum of a half type has 4 bytes per number; in planes, two of them are part of the gradient.
    sum_bytes = 0 if dtype.itemsize > 2 else 2 if is_in_planes else 4
    if dtype != torch.float16 and (
        blocks <= 1 or (is_in_planes and not is_wide and tail_start(rows, height, classes, features) is not None)
    ):
        sum_bytes = 0
    input_bytes = dtype.itemsize + (4 if dtype == torch.float16 else 0)
    return LinearPlan(
        rows=rows,
        features=features,
        classes=classes,
        dtype=dtype,
        block_rows=height,
        blocks=blocks,
        workspace_bytes=min(rows, height) * _row_bytes(classes, dtype, place, is_wide),
        gradient_bytes=rows * features * input_bytes + classes * features * (dtype.itemsize + sum_bytes),
        unfused_bytes=2 * rows * classes * dtype.itemsize,
        operations=6 * rows * features * classes,
    )


def block_rows(
    rows: int,
    features: int,
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
    max_memory: int | None,
    buffers: int = 1,
    is_wide: bool = False,
) -> int:
    """Rows per block: as few blocks as the memory allows, of equal height, so that no block is small.

    Args:
        buffers: how many buffers of a block's size exist at one time.
        is_wide: whether the scores of a half type are float32, with a copy of their gradients in the half type.

    Raises:
        ValueError: `max_memory` is below 1.
    """
    check_max_memory(max_memory)
    is_cuda, weight_bytes = device.type == "cuda", classes * features * dtype.itemsize
    budget = max_memory or (
        max(SMALLEST_ON_CUDA, weight_bytes * 8 // 5) if is_cuda else max(SMALLEST_BUDGET, weight_bytes // 3)
    )
    for_scores = max(budget - _RESERVE, budget * 3 // 5)
    row_bytes = _row_bytes(classes, dtype, device, is_wide) * buffers
    if not is_cuda:
        return _equal_blocks(rows, for_scores // row_bytes, TILE)
    if dtype == torch.float16:
        # Products are kept in float32 until they are added.
        for_scores = max(for_scores - PLANES_SLAB, budget // 4)
    if dtype != torch.bfloat16 or rows * row_bytes <= for_scores:
        return _equal_blocks(rows, for_scores // row_bytes, _TILE_ON_CUDA)
    if is_wide:
        # float32 scores of a second block do not fit into the gradient's memory.
        return _equal_blocks(
            rows, max(for_scores - PLANES_SLAB - weight_bytes, budget // 4) // row_bytes, _TILE_ON_CUDA
        )
    # If the gradient's memory holds the second block, there is no sum over blocks.
    tail = min(classes // 2 * features // padded_classes(classes), rows // 2)
    least = -(-(rows - tail) // _TILE_ON_CUDA) * _TILE_ON_CUDA
    fits = least * row_bytes <= for_scores - WHOLE_SLAB
    if fits and tail_start(rows, least, classes, features) is not None:
        return least
    for_scores = max(for_scores - PLANES_SLAB - weight_bytes, budget // 4)
    return _equal_blocks(rows, for_scores // row_bytes, _TILE_ON_CUDA)


def block_height(
    input: torch.Tensor, weight: torch.Tensor, max_memory: int | None, buffers: int = 1, is_wide: bool = False
) -> int:
    """`block_rows` of a head's tensors."""
    rows, features = input.shape
    return block_rows(rows, features, weight.shape[0], input.dtype, input.device, max_memory, buffers, is_wide)


def has_wide_scores(scores_dtype: torch.dtype | None, dtype: torch.dtype) -> bool:
    """Whether the scores of inputs of this dtype are wider than the inputs.

    Raises:
        ValueError: another dtype than float32 or the inputs' own.
    """
    if scores_dtype in (None, dtype):
        return False
    if scores_dtype != torch.float32 or dtype.itemsize > 2:
        raise ValueError(
            f"scores_dtype is {scores_dtype} for inputs of {dtype}; give torch.float32 for bfloat16 and float16 inputs, or None."
        )
    return True


def check_max_memory(max_memory: int | None) -> None:
    """Raise TypeError for a budget that is no integer, ValueError for one below one byte."""
    if max_memory is None:
        return
    if as_integer("max_memory", max_memory, "a whole number of bytes, or None") < 1:
        raise ValueError(f"max_memory is {max_memory} bytes; give at least one row's worth, or None.")


def _equal_blocks(rows: int, most: int, tile: int) -> int:
    """The height of the fewest equal blocks of at most `most` rows, in whole tiles if they fit."""
    most = max(1, min(rows, most))
    blocks = -(-rows // most) if rows else 1
    height = max(1, -(-rows // blocks))
    # Matrix products run best on whole tiles of rows.
    rounded = -(-height // tile) * tile
    return rounded if rounded <= most else height


def _row_bytes(classes: int, dtype: torch.dtype, device: torch.device, is_wide: bool = False) -> int:
    """Bytes of one row of scores in the workspace, and of its part of the slab that is transposed into it.

    A wide row has its float32 scores and its slopes in the half type.
    """
    itemsize = dtype.itemsize + 4 * is_wide
    if device.type == "cuda":
        return padded_classes(classes) * itemsize
    return (classes + SLAB * goes_by_slabs(device, dtype, classes)) * itemsize
