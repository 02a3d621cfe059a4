"""How a linear head will be cut into blocks of rows, what that allocates, and what it computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lastlayer.arguments import as_integer
from lastlayer.backends import EXTENSION

#: Less memory than this costs more time than it is worth: the matrix products of few rows lose their efficiency. On CUDA it is
#: more, for a product has to fill many multiprocessors.
SMALLEST_BUDGET, SMALLEST_ON_CUDA = 64 * 2**20, 512 * 2**20
#: Rows of a matrix product's tile.
TILE, _TILE_ON_CUDA = 16, 128
#: What matrix libraries take to lay out their operands and kernels to work in; of a small budget at most two fifths.
_RESERVE = 14 * 2**20
#: Bytes of what bfloat16 sums on CUDA lay out in pieces, so few that they stay in its cache: slopes side by side, and float32
#: products that wait to be added.
WHOLE_SLAB, PLANES_SLAB = 64 * 2**20, 32 * 2**20
#: Classes whose scores are computed at a time where the CPU's kernels put them in their places.
SLAB = 2048


def goes_by_slabs(device: torch.device, dtype: torch.dtype, classes: int) -> bool:
    """Whether the scores of a block are computed some classes at a time, as products with large weights on the CPU are."""
    return EXTENSION is not None and device.type == "cpu" and dtype.itemsize > 2 and classes > 4 * SLAB


def padded_classes(classes: int) -> int:
    """Numbers from one row of scores to the next on CUDA."""
    return -(-classes // 64) * 64


def sum_dtype(dtype: torch.dtype, device: torch.device, *, over_rows: bool = False) -> torch.dtype:
    """The dtype in which a gradient is kept from forward to backward, whatever the number of rows.

    float16 gradients stay float32 until backward brings the whole scale: unscaled sums of some thousand rows exceed 65504, and
    sums divided by the number of rows fall below 6e−8. `over_rows`: a sum over blocks, which bfloat16 on the CPU keeps in
    float32, too; on CUDA its planes are rounded in their place.
    """
    is_bfloat16_sum = over_rows and dtype == torch.bfloat16 and device.type != "cuda"
    return torch.float32 if dtype == torch.float16 or is_bfloat16_sum else dtype


def tail_start(rows: int, height: int, classes: int, features: int) -> int | None:
    """Where in the gradient of a bfloat16 weight on CUDA the scores of the rows after the first block begin, at its end.

    None where there are none such or they do not fit: of the classes whose gradient reaches into them, the slopes must find
    room where those of the others were.
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
    #: The scores of one block: what exists above inputs and gradients, but for a few numbers a row.
    workspace_bytes: int
    #: Gradients of input and weight, and the float32 sums they are rounded from: float16's both, bfloat16's of the weight in more
    #: than one block.
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
            by default the larger of 64 MiB and a third of the weight's size, on CUDA of 512 MiB and eight fifths of it. One row is
            the least; beside a sum over blocks of bfloat16 on CUDA, which has a plane of the weight's size, a quarter for scores.

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
    height = block_rows(rows, features, classes, dtype, place, max_memory)
    is_in_planes = place.type == "cuda" and dtype == torch.bfloat16
    blocks = -(-rows // height)
    # A half type's sum has 4 bytes a number; in planes two of them are the gradient's own.
    sum_bytes = 0 if dtype.itemsize > 2 else 2 if is_in_planes else 4
    if dtype != torch.float16 and (
        blocks <= 1 or (is_in_planes and tail_start(rows, height, classes, features) is not None)
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
        workspace_bytes=min(rows, height) * _row_bytes(classes, dtype, place),
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
) -> int:
    """Rows of a block: as few blocks as the memory allows, of equal height, so that none is a small rest.

    Args:
        buffers: of a block's size that exist at one time.

    Raises:
        ValueError: `max_memory` is below 1.
    """
    check_max_memory(max_memory)
    is_cuda, weight_bytes = device.type == "cuda", classes * features * dtype.itemsize
    budget = max_memory or (
        max(SMALLEST_ON_CUDA, weight_bytes * 8 // 5) if is_cuda else max(SMALLEST_BUDGET, weight_bytes // 3)
    )
    for_scores = max(budget - _RESERVE, budget * 3 // 5)
    row_bytes = _row_bytes(classes, dtype, device) * buffers
    if not is_cuda:
        return _equal_blocks(rows, for_scores // row_bytes, TILE)
    if dtype == torch.float16:
        # Products wait in float32 to be added.
        for_scores = max(for_scores - PLANES_SLAB, budget // 4)
    if dtype != torch.bfloat16 or rows * row_bytes <= for_scores:
        return _equal_blocks(rows, for_scores // row_bytes, _TILE_ON_CUDA)
    # With the most rows that the gradient's memory takes there are no blocks to sum over.
    tail = min(classes // 2 * features // padded_classes(classes), rows // 2)
    least = -(-(rows - tail) // _TILE_ON_CUDA) * _TILE_ON_CUDA
    fits = least * row_bytes <= for_scores - WHOLE_SLAB
    if fits and tail_start(rows, least, classes, features) is not None:
        return least
    for_scores = max(for_scores - PLANES_SLAB - weight_bytes, budget // 4)
    return _equal_blocks(rows, for_scores // row_bytes, _TILE_ON_CUDA)


def block_height(input: torch.Tensor, weight: torch.Tensor, max_memory: int | None, buffers: int = 1) -> int:
    """`block_rows` of a head's tensors."""
    rows, features = input.shape
    return block_rows(rows, features, weight.shape[0], input.dtype, input.device, max_memory, buffers)


def check_max_memory(max_memory: int | None) -> None:
    """Raise TypeError for a budget that is no integer, ValueError for one below one byte."""
    if max_memory is None:
        return
    if as_integer("max_memory", max_memory, "a whole number of bytes, or None") < 1:
        raise ValueError(f"max_memory is {max_memory} bytes; give at least one row's worth, or None.")


def _equal_blocks(rows: int, most: int, tile: int) -> int:
    """The height of the fewest equal blocks of at most so many rows, one at least, in whole tiles where they fit."""
    most = max(1, min(rows, most))
    blocks = -(-rows // most) if rows else 1
    height = max(1, -(-rows // blocks))
    # Matrix products run best on whole tiles of rows.
    rounded = -(-height // tile) * tile
    return rounded if rounded <= most else height


def _row_bytes(classes: int, dtype: torch.dtype, device: torch.device) -> int:
    """The scores of one row in the workspace, and those that wait to be put in their places."""
    if device.type == "cuda":
        return padded_classes(classes) * dtype.itemsize
    return (classes + SLAB * goes_by_slabs(device, dtype, classes)) * dtype.itemsize
