"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

The rule is aimed at the bandwidth of H100 and H200, and was not yet timed on one: each thread holds 16 scores (8 where a
kernel needs many registers for each), so that the programs of a multiprocessor keep 32 kB or more in flight.

- Few classes: as many whole rows as make a tile of 2048 scores.
- Up to the limit in `LIMITS`: the row is one block, read once and kept in registers.
- Beyond: blocks of `BLOCK`, read twice; the second reading comes from the cache as far as the rows in work fit there.

By the classes alone, never by the rows: a row has the same bits in any batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Scores that a program of few classes takes at once, and the block of rows that are no single one.
TILE, BLOCK = 2048, 4096
#: Blocks of a long row in flight.
STAGES = 2
#: By how many registers a kernel needs: the classes up to which a row is one block, and the scores that a thread holds. A
#: thousand threads have 64 registers each; ptxas spilled where a kernel was given more than stands here.
LIMITS = {"few": (16384, 16), "more": (8192, 16), "many": (4096, 8)}


class Launch(NamedTuple):
    """The grid of a launch, and its compile-time sizes."""

    grid: tuple[int]
    sizes: dict[str, Any]


def launch_for(rows: int, classes: int, registers: str) -> Launch:
    """The launch for `rows` rows of `classes` classes of a kernel that needs "few", "more" or "many" registers."""
    single, per_thread = LIMITS[registers]
    width = 1 << (classes - 1).bit_length()
    is_single = width <= single
    height = max(1, TILE // width)
    if not is_single:
        width, height = BLOCK, 1
    sizes = {
        "IS_SINGLE": is_single,
        "ROWS": height,
        "BLOCK": width,
        "STAGES": STAGES,
        "num_warps": height * width // (32 * per_thread),
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    return Launch((-(-rows // height),), sizes)
