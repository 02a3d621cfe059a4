"""Softmax of rows in slices, with one gather per block: each slice's maximum and the sum of its other terms.

A slice r has m_r = max x and o_r = Σ e^(x − m_r) without the largest term. With M = max m_r, in a slice d,

    others = o_d + Σ_{r ≠ d} e^(m_r − M) (1 + o_r),    Z = M + log1p(others),    log p = (x − M) − log1p(others).

So 1 − p of a confident class comes from the others, in whatever slice they are. Computed in float64, some rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.sharded.call import Call

Tensor = torch.Tensor

#: Bytes of the float64 copy of some rows: it stays in a core's cache.
_CHUNK = 2**19
#: Rows with infinite scores at one time.
_FORMULA_ROWS = 16


class Partition(NamedTuple):
    """Per row (n,), float64, the same on every process."""

    #: M, the largest score.
    largest: Tensor
    #: log Σ e^(x − M) = log1p(others).
    log_sum: Tensor
    #: log p of the label; NaN if it is out of range.
    log_prob: Tensor
    #: What the slices have gathered, (processes, numbers, n): m, o, the label's score, and what was asked for besides.
    gathered: Tensor

    @property
    def log_partition(self) -> Tensor:
        """Z = log Σ e^x."""
        return self.largest + self.log_sum

    @property
    def anchors(self) -> Tensor:
        """The score that the sums of each slice are relative to, (processes, n): its maximum, and 0 if that is not finite."""
        return _finite_or_zero(self.gathered[:, 0])

    def rows(self, place: slice | Tensor) -> Partition:
        """The same of some rows."""
        return Partition(*(part[..., place] for part in self))


def is_softmax(mapping: ProbabilityMapping) -> bool:
    """Whether these formulas are the mapping's."""
    return mapping.is_built_in and mapping.name == "softmax"


def partition_of(
    call: Call,
    block: Block,
    more: Callable[[Tensor, Tensor], tuple[Tensor, ...]] | None = None,
    of_nothing: tuple[float, ...] = (),
) -> Partition:
    """The partition of a block's rows.

    `more`(raw scores, x − m) gives further numbers per row and slice to gather; `of_nothing` are those of a slice without classes.
    """
    rows, labels = block.scores.shape[0], call.targets[block.place]
    neutral = torch.tensor([-float("inf"), 0.0, 0.0, *of_nothing], dtype=torch.float64)
    own = neutral.to(labels.device)[:, None].repeat(1, rows)
    for place, raw, x in chunks(call, block):
        m, first = x.max(1)
        difference = x - _finite_or_zero(m)[:, None]
        local = labels[place] - call.offset
        is_mine = (local >= 0) & (local < call.size)
        at_label = x.gather(1, local.clamp(0, call.size - 1)[:, None])[:, 0]
        extra = more(raw, difference) if more is not None else ()
        terms = difference.exp_().scatter_(1, first[:, None], 0.0)
        for number, values in zip(own, (m, terms.sum(1), torch.where(is_mine, at_label, 0.0), *extra), strict=True):
            number[place] = values
    gathered = call.wire.gather(own)
    largest, winner = gathered[:, 0].max(0)
    others = slice_sums(gathered, largest)
    # The largest term is 1; its slice counts with the others alone.
    is_winner = torch.arange(len(gathered), device=winner.device)[:, None] == winner
    others = torch.where(is_winner, gathered[:, 1], others).sum(0) + largest * 0.0
    log_sum = torch.log1p(others)
    log_prob = (gathered[:, 2].sum(0) - largest) - log_sum
    is_bad = (labels < 0) | (labels >= call.classes)
    return Partition(largest, log_sum, torch.where(is_bad, float("nan"), log_prob), gathered)


def slice_sums(gathered: Tensor, largest: Tensor) -> Tensor:
    """Σ e^(x − M) of each slice, (processes, n)."""
    return torch.exp(gathered[:, 0] - largest) * (1.0 + gathered[:, 1])


def chunks(call: Call, block: Block) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Some rows at a time: their place in the block, their scores, and those after softcap and temperature, in float64."""
    if not call.size:
        return
    activation, height = call.options.activation, max(1, _CHUNK // (8 * call.size))
    for start in range(0, block.scores.shape[0], height):
        place = slice(start, start + height)
        raw = block.scores[place].double()
        yield place, raw, activation(raw, xp)


def _finite_or_zero(x: Tensor) -> Tensor:
    return torch.where(x.isfinite(), x, 0.0)


def infinite_rows(largest: Tensor) -> list[Tensor]:
    """The places of rows with a score of +inf, some at a time: the formulas of the record compute them, on every process."""
    rows = (largest == float("inf")).nonzero().squeeze(1)
    return [rows[start : start + _FORMULA_ROWS] for start in range(0, len(rows), _FORMULA_ROWS)]


def part_of(block: Block, rows: Tensor, count: int) -> Block:
    """Some rows of a block with a copy of their scores. `count` is the number of all rows of the head."""
    place = torch.arange(count, device=rows.device)[block.place][rows]
    return Block(place, block.input[rows], block.scores[rows])
