"""Chunks of a block's rows that stay in cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch

Tensor = torch.Tensor

#: Scores per thread that are worked on at one time: their copies stay in cache, and each is worth the start of an operation that
#: waits for all threads. On a device it is enough that they are small.
_CHUNK, _CHUNK_ON_DEVICE = 2**18, 2**24


def chunks(scores: Tensor) -> Iterator[slice]:
    """Slices of the rows of a block; none of a slice without classes."""
    rows, classes = scores.shape
    size = _CHUNK * torch.get_num_threads() if scores.is_cpu else _CHUNK_ON_DEVICE
    height = max(1, size // max(1, classes))
    for start in range(0, rows if classes else 0, height):
        yield slice(start, min(start + height, rows))
