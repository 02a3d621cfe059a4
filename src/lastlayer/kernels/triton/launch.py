"""How a kernel of rows is launched: rows per program, classes per block, warps, and programs per row. One table for all: `RULES`.

- Few classes: a program takes as many whole rows as make a tile of 1024 scores.
- Up to a limit: the row is one block, read once and kept in registers.
- Longer: blocks, read twice if the result is as long as the row, the second time from the cache.
- Longer still, if the result is as long as the row: several programs split it (softmax/split_rows.py), each taking a slice of some
  blocks. The kernels of the sparse mappings and of spread targets split no row.

A launch depends on the number of classes and the device alone, never on the number of rows: a row has the same bits in any batch.
Every number of slices is a kernel to compile.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from triton.runtime.interpreter import InterpretedFunction

from lastlayer.kernels.triton.softmax.split_rows import FINISH, FIRST_WORD, MOST_WORDS, PUBLISH, UNPUBLISHED, WHOLE

#: A row is split among at most this many programs, and at most one per MULTIPROCESSORS_PER_SLICE multiprocessors. All programs of a
#: launch but one may wait for a slice that none has taken, and a multiprocessor holds at least three programs: a dozen launches in
#: flight still leave room for the program that takes it.
MOST_SLICES, MULTIPROCESSORS_PER_SLICE = 32, 4
#: Scores per tile of short rows, and per thread of this tile.
TILE, PER_THREAD = 1024, 8


class Block(NamedTuple):
    """What a program reads of a row at once."""

    #: Classes; for a block that holds whole rows, the most that it holds.
    classes: int
    #: Scores per thread.
    per_thread: int
    #: Registers per thread at most, so that more threads fit on a multiprocessor; None for no limit.
    registers: int | None


class Split(NamedTuple):
    """How a row is split among programs."""

    #: Longer rows are split.
    longest: int
    #: A slice is this many of these blocks. If that made too many slices, a slice is as many of `Rule.block` as it takes.
    block: Block
    blocks: int


class Rule(NamedTuple):
    """How one kind of kernel is launched."""

    #: For rows that are one block.
    single: Block
    #: For longer rows.
    block: Block
    #: For rows longer still; None where no row is split.
    split: Split | None
    #: Up to this many blocks per slice are unrolled at compile time; more are a loop.
    unrolled: int = 1


#: All thresholds. Softmax's were chosen by time on an H200 with benchmarks/rows.py. Not timed, but chosen by ptxas' count of
#: registers: rows of fewer than 1024 classes, rows of more than 2^18 classes, and the rules "sparse" and "heavy".
RULES = {
    # rule                       whole row              blocks                split rows
    "probabilities": Rule(Block(16384, 32, 64), Block(8192, 16, 64), Split(16384, Block(8192, 32, 64), 1)),
    "logarithms": Rule(Block(8192, 16, None), Block(4096, 16, 64), Split(16384, Block(2048, 16, 64), 4), unrolled=4),
    "gradient": Rule(Block(16384, 32, 64), Block(8192, 16, 64), Split(16384, Block(8192, 32, 64), 1)),
    "probabilities, half": Rule(
        Block(8192, 32, 64), Block(8192, 16, 40), Split(32768, Block(4096, 16, 40), 4), unrolled=4
    ),
    "logarithms, half": Rule(
        Block(8192, 32, None), Block(4096, 16, 64), Split(32768, Block(2048, 16, 64), 8), unrolled=4
    ),
    "gradient, half": Rule(Block(8192, 32, 64), Block(2048, 16, 64), Split(16384, Block(2048, 16, 64), 8)),
    # One number per row, softmax: nothing is read twice.
    "number": Rule(Block(4096, 32, 64), Block(4096, 16, 64), None),
    # Probabilities and log-partition of the sparse mappings.
    "sparse": Rule(Block(8192, 16, None), Block(4096, 16, None), None),
    # Losses of the sparse mappings, of spread targets and with a softcap; logarithms of the sparse mappings.
    "heavy": Rule(Block(4096, 8, None), Block(4096, 8, None), None),
}


class Launch(NamedTuple):
    """The grid of a launch, its compile-time sizes, and the number of programs per row."""

    grid: tuple[int]
    sizes: dict[str, Any]
    slices: int


def launch_for(rows: int, classes: int, rule: str, multiprocessors: int | None = None) -> Launch:
    """The launch for `rows` rows of `classes` classes by one of the `RULES`, on a device with this many multiprocessors."""
    single, block, split, unrolled = RULES[rule]
    most = MOST_SLICES if multiprocessors is None else min(MOST_SLICES, multiprocessors // MULTIPROCESSORS_PER_SLICE)
    width, height, slice_ = 1 << (classes - 1).bit_length(), 1, classes
    is_single = width <= single.classes
    chosen, per_thread = single, single.per_thread
    if not is_single:
        chosen = block
        if split is not None and classes > split.longest and most > 1:
            slice_ = split.block.classes * split.blocks
            if classes <= most * slice_:
                chosen = split.block
            else:
                slice_ = block.classes * -(-classes // (most * block.classes))
        width, per_thread = chosen.classes, chosen.per_thread
    elif width < TILE:
        # Fewer scores per thread: the numbers of every row take registers too.
        height, per_thread = TILE // width, PER_THREAD
    blocks = -(-slice_ // width)
    sizes: dict[str, Any] = {
        "ROWS": height,
        "BLOCK": width,
        "BLOCKS": blocks if blocks <= unrolled else 0,
        "num_warps": max(1, height * width // (32 * per_thread)),
        # Every operation rounds where the source says so: see arithmetic/float_float.py.
        "enable_fp_fusion": False,
    }
    if chosen.registers is not None and height == 1:
        sizes["maxnreg"] = chosen.registers
    slices = -(-classes // slice_)
    if slices == 1:
        return Launch((-(-rows // height),), sizes, 1)
    sizes |= {"SLICES": slices, "SLICE": slice_, "PAD": 1 << (slices - 1).bit_length()}
    return Launch((rows * slices,), sizes, slices)


def run(kernel: Any, rule: str, rows: int, classes: int, *arguments: Any, **values: Any) -> None:
    """Launch a kernel of rows by a rule, on the device of its first argument, which need not be the current device."""
    device = arguments[0].device
    is_interpreted = isinstance(kernel, InterpretedFunction)
    launch = launch_for(rows, classes, rule, None if is_interpreted else _multiprocessors(device))
    values |= launch.sizes
    with torch.cuda.device_of(arguments[0]):
        if launch.slices == 1:
            kernel[launch.grid](*arguments, **values)
            return
        words = FIRST_WORD.value + rows * launch.slices * MOST_WORDS
        values["published"] = torch.full((words,), UNPUBLISHED.value, dtype=torch.int64, device=device)
        # The interpreter runs one program after another, so none may wait for others.
        for phase in (PUBLISH, FINISH) if is_interpreted else (WHOLE,):
            kernel[launch.grid](*arguments, **values, PHASE=phase.value)


@cache
def _multiprocessors(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
