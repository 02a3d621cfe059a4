"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

Softmax's rules were chosen by time on an H200 (benchmarks/rows.py), those of fewer than 1024 classes, of more than 2^18 and of the
sparse mappings by the registers that ptxas counts:
- Few classes: as many whole rows as make a tile of 1024 scores.
- Up to a kernel's limit: the row is one block, read once and kept in registers.
- Beyond: blocks, read twice where a result is as long as the row, the second time from the cache.
- Beyond another limit, where a result is as long as the row: several programs share it (shared.py), a slice each, of so many
  blocks that there are not too many slices. The kernels of the sparse mappings and of targets on many classes share no row.

By the classes and the device alone, never by the rows: a row has the same bits in any batch. Another number of slices is another
kernel to compile.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from triton.runtime.interpreter import InterpretedFunction

from lastlayer.kernels.triton.softmax.split_rows import FINISH, FIRST_WORD, MOST_WORDS, PUBLISH, UNPUBLISHED, WHOLE

#: Programs that share a row, at most. Of a launch all of them but one may wait for a slice that none has taken, and a multiprocessor
#: holds three of its programs or more: so a dozen launches in flight at a time leave room for the one that takes it.
MOST_SLICES, MULTIPROCESSORS_A_SLICE = 32, 4
#: Scores that a program of few classes takes at once, and that a thread of it holds.
TILE, PER_THREAD = 1024, 8


class Block(NamedTuple):
    """What a program takes of a row at once."""

    #: How many classes; of a block that may be the whole row, at most.
    classes: int
    #: How many scores a thread of it holds.
    per_thread: int
    #: The most registers that a thread may take, so that enough of them work at a time; None for as many as it likes.
    registers: int | None


class Shared(NamedTuple):
    """How programs share a row."""

    #: From more classes than this on.
    longest: int
    #: A slice of it is so many of these blocks; where that made too many slices, more of those of a row that is not shared.
    block: Block
    blocks: int


class Rule(NamedTuple):
    """How a kernel is launched, by what it computes."""

    #: Of rows that are one block.
    single: Block
    #: Of longer rows.
    block: Block
    #: Of rows longer still; None where a row is not shared.
    shared: Shared | None
    #: So many blocks of a part of a row, at most, are compiled one after another; more are a loop.
    unrolled: int = 1


RULES = {
    "probabilities": Rule(Block(16384, 32, 64), Block(8192, 16, 64), Shared(16384, Block(8192, 32, 64), 1)),
    "logarithms": Rule(Block(8192, 16, None), Block(4096, 16, 64), Shared(16384, Block(2048, 16, 64), 4), unrolled=4),
    "gradient": Rule(Block(16384, 32, 64), Block(8192, 16, 64), Shared(16384, Block(8192, 32, 64), 1)),
    "probabilities, half": Rule(
        Block(8192, 32, 64), Block(8192, 16, 40), Shared(32768, Block(4096, 16, 40), 4), unrolled=4
    ),
    "logarithms, half": Rule(
        Block(8192, 32, None), Block(4096, 16, 64), Shared(32768, Block(2048, 16, 64), 8), unrolled=4
    ),
    "gradient, half": Rule(Block(8192, 32, 64), Block(2048, 16, 64), Shared(16384, Block(2048, 16, 64), 8)),
    #: One number of a row: nothing is read twice.
    "number": Rule(Block(4096, 32, 64), Block(4096, 16, 64), None),
    "sparse": Rule(Block(8192, 16, None), Block(4096, 16, None), None),
    "heavy": Rule(Block(4096, 8, None), Block(4096, 8, None), None),
}


class Launch(NamedTuple):
    """The grid of a launch, its compile-time sizes, and how many programs share a row."""

    grid: tuple[int]
    sizes: dict[str, Any]
    slices: int


def launch_for(rows: int, classes: int, rule: str, multiprocessors: int | None = None) -> Launch:
    """The launch for `rows` rows of `classes` classes by one of the `RULES`, on a device of so many multiprocessors."""
    single, block, shared, unrolled = RULES[rule]
    most = MOST_SLICES if multiprocessors is None else min(MOST_SLICES, multiprocessors // MULTIPROCESSORS_A_SLICE)
    width, height, slice_ = 1 << (classes - 1).bit_length(), 1, classes
    is_single = width <= single.classes
    chosen, per_thread = single, single.per_thread
    if not is_single:
        chosen = block
        if shared is not None and classes > shared.longest and most > 1:
            slice_ = shared.block.classes * shared.blocks
            if classes <= most * slice_:
                chosen = shared.block
            else:
                slice_ = block.classes * -(-classes // (most * block.classes))
        width, per_thread = chosen.classes, chosen.per_thread
    elif width < TILE:
        # Every row has numbers of its own, which take registers too.
        height, per_thread = TILE // width, PER_THREAD
    blocks = -(-slice_ // width)
    sizes: dict[str, Any] = {
        "ROWS": height,
        "BLOCK": width,
        "BLOCKS": blocks if blocks <= unrolled else 0,
        "num_warps": max(1, height * width // (32 * per_thread)),
        # Every operation rounds where the source says so: see pairs.py.
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
    """Launch a kernel of rows by a rule, on the device of its first argument, which need not be the current one."""
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
        # The interpreter runs one program after another: none may wait for others.
        for part in (PUBLISH, FINISH) if is_interpreted else (WHOLE,):
            kernel[launch.grid](*arguments, **values, PART=part.value)


@cache
def _multiprocessors(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
