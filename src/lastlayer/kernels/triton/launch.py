"""How many rows a program takes, how many classes a block has, and how many warps work on it: one rule for every kernel.

The rule was chosen by time on an H200 (benchmarks/rows.py):
- Few classes: as many whole rows as make a tile of 1024 scores.
- Up to the limit in `LIMITS`: the row is one block, read once and kept in registers.
- Beyond: of softmax and the cross-entropy of labels, up to `MOST_SEGMENTS` programs share the row (segments.py), and it is still
  read once; else blocks of `BLOCK`, read twice or more.

By the classes alone, never by the rows: a row has the same bits in any batch.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import torch

#: What a launch of shared rows does: publish the first round, the second, finish; or all of it (segments.py).
FIRST, SECOND, LAST, WHOLE = range(4)
#: Rounds in which the programs of a row exchange numbers, and a word in which none were published.
ROUNDS, EMPTY = 2, -1
#: Scores that a program of few classes takes at once, the block of rows that are no single one, and a shared row's segment.
TILE, BLOCK, SEGMENT = 1024, 4096, 16384
#: By how many registers a kernel needs: the classes up to which a row is one block, and the scores that a thread holds. A
#: thousand threads have 64 registers each; ptxas spilled where a kernel was given more than stands here.
LIMITS = {"few": (16384, 32), "more": (8192, 16), "many": (4096, 8)}
#: Programs that share a row, all of which must fit on the device at a time.
MOST_SEGMENTS = 128


class Launch(NamedTuple):
    """The grid of a launch, and its compile-time sizes."""

    grid: tuple[int]
    sizes: dict[str, Any]
    #: Programs of a row: one where it is a single block, none where a program reads it in many.
    segments: int


def launch_for(rows: int, classes: int, registers: str, is_shared: bool = False) -> Launch:
    """The launch for `rows` rows of `classes` classes of a kernel that needs "few", "more" or "many" registers."""
    single, per_thread = LIMITS[registers]
    width, height, segments = 1 << (classes - 1).bit_length(), 1, 1
    if width <= single:
        height = max(1, TILE // width)
    elif is_shared and classes <= MOST_SEGMENTS * SEGMENT:
        width, segments = SEGMENT, -(-classes // SEGMENT)
    else:
        width, segments = BLOCK, 0
    sizes = {
        "ROWS": height,
        "BLOCK": width,
        "num_warps": max(1, height * width // (32 * per_thread)),
        # Every operation rounds where the source says so: see pairs.py.
        "enable_fp_fusion": False,
    }
    return Launch((-(-rows // height) * max(1, segments),), sizes, segments)


def run(kernel: Any, launch: Launch, arguments: tuple[Any, ...], rows: int, classes: int, **values: Any) -> None:
    """Launch a kernel whose rows may be shared: in one launch, or where programs run one after another in three."""
    segments, scores = launch.segments, arguments[0]
    shared: tuple[Any, ...] = (None, 1, 0)
    steps: tuple[int, ...] = (WHOLE,)
    most = segments
    if segments > 1:
        most = 1 << (segments - 1).bit_length()
        words = torch.full((rows * ROUNDS * most,), EMPTY, dtype=torch.int64, device=scores.device)
        # Of equal width, so that the programs of a row are done at the same time; a multiple of what is read at once.
        shared = (words, segments, -(-classes // (segments * 16)) * 16)
        steps = (FIRST, SECOND, LAST) if os.environ.get("TRITON_INTERPRET") == "1" else steps
    for step in steps:
        kernel[launch.grid](*arguments, *shared, SEGMENTS=most, STEP=step, **values, **launch.sizes)
