"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

The rule is aimed at bandwidth on H100 and H200: each thread holds 16 scores, so that the programs of a multiprocessor keep
32 kB or more in flight.

- Few classes: as many whole rows as make a tile of 2048 scores.
- Up to `SINGLE` classes: the row is one block, read once and kept in registers.
- Beyond: blocks of `BLOCK`, read twice; the second reading comes from the cache as far as the rows in work fit there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Scores that a program of few classes takes at once, classes up to which a row is one block, and the block beyond.
TILE, SINGLE, BLOCK = 2048, 16384, 4096
#: Scores that a thread holds.
PER_THREAD = 16


class Launch(NamedTuple):
    """The compile-time sizes of a launch, and its grid."""

    grid: tuple[int]
    sizes: dict[str, Any]


def launch_for(rows: int, classes: int, single: int = SINGLE, block: int = BLOCK) -> Launch:
    """The launch for `rows` rows of `classes` classes."""
    power = 1 << max(classes - 1, 0).bit_length()
    is_single = power <= single
    width = power if is_single else block
    # By the classes alone: a row has the same bits in any batch.
    height = max(1, TILE // width) if is_single else 1
    warps = min(max(height * width // (32 * PER_THREAD), 1), 32)
    sizes = {
        "IS_SINGLE": is_single,
        "ROWS": height,
        "BLOCK": width,
        "num_warps": warps,
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    return Launch((-(-rows // height),), sizes)
