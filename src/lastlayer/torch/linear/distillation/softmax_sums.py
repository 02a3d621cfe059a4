"""What the softmax rows of a block share: chunks of rows that stay in cache, and the sums of a row in slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from lastlayer.torch.linear.blocks import Block

Tensor = torch.Tensor

#: Scores per thread that are worked on at one time: their copies stay in cache, and each is worth the start of an operation that
#: waits for all threads. On a device it is enough that they are small.
_CHUNK, _CHUNK_ON_DEVICE = 2**18, 2**24
#: Rows with infinite scores at one time.
_FORMULA_ROWS = 16


class Partition(NamedTuple):
    """Per row (n,), float64, the same on every process: log p = (x − largest) − log_sum."""

    largest: Tensor
    #: log1p(others): the sum of all terms but the largest.
    log_sum: Tensor


def chunks(scores: Tensor) -> Iterator[slice]:
    """Slices of the rows of a block; none of a slice without classes."""
    rows, classes = scores.shape
    size = _CHUNK * torch.get_num_threads() if scores.is_cpu else _CHUNK_ON_DEVICE
    height = max(1, size // max(1, classes))
    for start in range(0, rows if classes else 0, height):
        yield slice(start, min(start + height, rows))


def finite_or_zero(x: Tensor) -> Tensor:
    """What scores may be relative to."""
    return torch.where(x.isfinite(), x, 0.0)


def sums_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each row, and the sum of the other terms e^(x − largest)."""
    largest, first = x.max(1)
    terms = (x - finite_or_zero(largest)[:, None]).exp_().scatter_(1, first[:, None], 0.0)
    return largest, terms.sum(1)


def partition_of(largest: Tensor, others: Tensor) -> Partition:
    """From the sums of each slice, (processes, n). The largest term is 1; its slice counts with its others alone."""
    top, winner = largest.max(0)
    sums = torch.exp(largest - top) * (1.0 + others)
    is_winner = torch.arange(len(largest), device=winner.device)[:, None] == winner
    total = torch.where(is_winner, others, sums).sum(0) + top * 0.0
    return Partition(top, torch.log1p(total))


def infinite_rows(largest: Tensor) -> list[Tensor]:
    """The places of rows with a score of +inf, some at a time: the formulas of the record compute them, on every process."""
    rows = (largest == float("inf")).nonzero().squeeze(1)
    return [rows[start : start + _FORMULA_ROWS] for start in range(0, len(rows), _FORMULA_ROWS)]


def copy_of(block: Block, rows: Tensor, count: int) -> Block:
    """Some rows of a block with a copy of their scores. `count` is the number of all rows of the head."""
    place = torch.arange(count, device=rows.device)[block.place][rows]
    return Block(place, block.input[rows], block.scores[rows])
