"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

Softmax's rules were chosen by time on an H200 (benchmarks/rows.py), those of fewer than 1024 classes and of the sparse mappings by the
registers that ptxas counts:
- Few classes: as many whole rows as make a tile of 1024 scores.
- Up to a kernel's limit: the row is one block, read once and kept in registers.
- Beyond, where a result is as long as the row: blocks, and beyond one slice several programs share the row (shared.py), a slice each.
  A slice of one block is read once, one of more blocks twice, the second time from the cache. The kernels of the sparse mappings and
  of targets on many classes share no row.

By the classes and the device alone, never by the rows: a row has the same bits in any batch. Another number of slices is another
kernel to compile.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from triton.runtime.interpreter import InterpretedFunction

from lastlayer.kernels.triton.shared import FIELDS, FINISH, PUBLISH, WHOLE

#: Programs that share a row, at most: all must find room on the device at a time, beside those of other launches. A multiprocessor
#: holds several, and not even one launch in flight for each four of them may fill it with programs that wait.
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


class Rule(NamedTuple):
    """How a kernel is launched, by what it computes."""

    #: Of rows that are one block.
    single: Block
    #: Of longer rows.
    block: Block
    #: The classes of a slice of a longer row, whole blocks; None where a row is not shared.
    slice: int | None


RULES = {
    "probabilities": Rule(Block(32768, 32, 64), Block(8192, 32, 64), 8192),
    "logarithms": Rule(Block(16384, 16, None), Block(8192, 32, 64), 8192),
    "gradient": Rule(Block(32768, 32, 64), Block(8192, 32, 64), 8192),
    "probabilities, half": Rule(Block(16384, 32, 64), Block(8192, 16, 64), 65536),
    "logarithms, half": Rule(Block(16384, 32, None), Block(8192, 16, 64), 65536),
    "gradient, half": Rule(Block(32768, 32, 64), Block(4096, 16, 64), 32768),
    #: One number of a row: nothing is read twice.
    "number": Rule(Block(32768, 32, 64), Block(8192, 16, 64), None),
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
    single, block, slice_ = RULES[rule]
    width, height, slices = 1 << (classes - 1).bit_length(), 1, 1
    is_single = width <= single.classes
    chosen = single if is_single else block
    per_thread = chosen.per_thread
    if width < TILE:
        # Every row has numbers of its own, which take registers too.
        height, per_thread = TILE // width, PER_THREAD
    elif not is_single:
        width = block.classes
        if slice_ is not None:
            most = MOST_SLICES
            if multiprocessors is not None:
                most = max(1, min(most, multiprocessors // MULTIPROCESSORS_A_SLICE))
            if classes > most * slice_:
                slice_ = width * -(-classes // (most * width))
            is_single, slices = slice_ == width, -(-classes // slice_)
    sizes: dict[str, Any] = {
        "IS_SINGLE": is_single,
        "ROWS": height,
        "BLOCK": width,
        "num_warps": max(1, height * width // (32 * per_thread)),
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    if chosen.registers is not None and height == 1:
        sizes["maxnreg"] = chosen.registers
    if slices > 1:
        sizes |= {"SLICES": slices, "SLICE": slice_, "PAD": 1 << (slices - 1).bit_length()}
    return Launch((-(-rows // height) * slices,), sizes, slices)


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
        values["counters"] = torch.zeros(1 + rows, dtype=torch.int32, device=device)
        values["published"] = torch.empty(launch.grid[0] * FIELDS.value, dtype=torch.float32, device=device)
        # The interpreter runs one program after another, so that none may wait for others.
        for part in (PUBLISH, FINISH) if is_interpreted else (WHOLE,):
            kernel[launch.grid](*arguments, **values, PART=part.value)


@cache
def _multiprocessors(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
