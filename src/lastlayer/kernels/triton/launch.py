"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

Softmax's rules were chosen by time on an H200 (benchmarks/rows.py), those of fewer than 1024 classes and of the sparse mappings by the
registers that ptxas counts:
- Few classes: as many whole rows as make a tile of 1024 scores.
- Up to a kernel's limit: the row is one block, read once and kept in registers.
- Beyond: blocks, read twice; the second reading comes from the cache as far as the rows in work fit there.

By the classes alone, never by the rows: a row has the same bits in any batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Scores that a program of few classes takes at once, and that a thread of it holds.
TILE, PER_THREAD = 1024, 8


class Rule(NamedTuple):
    """How a kernel is launched, by how many registers it needs."""

    #: The classes up to which a row is one block, and the scores that a thread then holds.
    single: int
    per_thread: int
    #: The same of a block of a longer row.
    block: int
    per_thread_of_block: int
    #: The most registers that a thread may take, so that enough of them work at a time; None for as many as it likes.
    registers: int | None


RULES = {
    "few": Rule(32768, 32, 8192, 16, 64),
    "some": Rule(16384, 32, 8192, 16, 80),
    "more": Rule(8192, 16, 4096, 16, None),
    "many": Rule(4096, 8, 4096, 8, None),
}


class Launch(NamedTuple):
    """The grid of a launch, and its compile-time sizes."""

    grid: tuple[int]
    sizes: dict[str, Any]


def launch_for(rows: int, classes: int, registers: str) -> Launch:
    """The launch for `rows` rows of `classes` classes of a kernel that needs "few", "some", "more" or "many" registers."""
    rule = RULES[registers]
    width, height, per_thread = 1 << (classes - 1).bit_length(), 1, rule.per_thread
    is_single = width <= rule.single
    if width < TILE:
        # Every row has numbers of its own, which take registers too.
        height, per_thread = TILE // width, PER_THREAD
    elif not is_single:
        width, per_thread = rule.block, rule.per_thread_of_block
    sizes = {
        "IS_SINGLE": is_single,
        "ROWS": height,
        "BLOCK": width,
        "num_warps": max(1, height * width // (32 * per_thread)),
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    if rule.registers is not None and height == 1:
        sizes["maxnreg"] = rule.registers
    return Launch((-(-rows // height),), sizes)
