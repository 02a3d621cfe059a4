"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

The rule is aimed at the bandwidth of H100 and H200, and was not yet timed on one: each thread holds 16 scores, so that the
programs of a multiprocessor keep 32 kB or more in flight.

- Few classes: as many whole rows as make a tile of 2048 scores.
- Up to `SINGLE` classes: the row is one block, read once and kept in registers. Options that need many of these take less.
- Beyond: blocks of `BLOCK`, read twice; the second reading comes from the cache as far as the rows in work fit there.

By the classes alone, never by the rows: a row has the same bits in any batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Scores that a program of few classes takes at once.
TILE = 2048
#: Classes up to which a row is one block: of a thousand threads, each with the 64 registers that are left to it; and where
#: a kernel needs more of those.
SINGLE, SINGLE_OF_MANY_REGISTERS = 16384, 4096
#: The block of longer rows.
BLOCK = 4096
#: Scores that a thread holds.
PER_THREAD = 16


class Launch(NamedTuple):
    """The grid of a launch, and its compile-time sizes."""

    grid: tuple[int]
    sizes: dict[str, Any]


def launch_for(rows: int, classes: int, needs_many_registers: bool = False) -> Launch:
    """The launch for `rows` rows of `classes` classes."""
    power = 1 << (classes - 1).bit_length()
    is_single = power <= (SINGLE_OF_MANY_REGISTERS if needs_many_registers else SINGLE)
    width = power if is_single else BLOCK
    height = max(1, TILE // width) if is_single else 1
    sizes = {
        "IS_SINGLE": is_single,
        "ROWS": height,
        "BLOCK": width,
        "num_warps": min(max(height * width // (32 * PER_THREAD), 1), 32),
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    return Launch((-(-rows // height),), sizes)
