"""Softmax of rows in slices, with one gather per block: each slice's maximum and the sum of its other terms.

A slice r has m_r = max x and o_r = Σ e^(x − m_r) without the largest term. With M = max m_r, in a slice d,

    others = o_d + Σ_{r ≠ d} e^(m_r − M) (1 + o_r),    Z = M + log1p(others),    log p = (x − M) − log1p(others).

So 1 − p of a confident class comes from the others, in whatever slice they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from lastlayer.backends.torch.softmax_rows import RowSlopes, RowSums, row_slopes, row_sums
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.softmax_statistics import is_out_of_range

Tensor = torch.Tensor

#: Rows with infinite scores at one time.
_FORMULA_ROWS = 16


class Partition(NamedTuple):
    """Per row (n,), float64, the same on every process."""

    #: M, the largest score.
    largest: Tensor
    #: Σ e^(x − M) of all classes without the largest term.
    others: Tensor
    #: log p of the label; NaN if it is out of range.
    log_prob: Tensor
    #: What the slices have gathered, (processes, numbers, n): m, o, the label's score, and what was asked for besides.
    gathered: Tensor

    @property
    def log_sum(self) -> Tensor:
        """log Σ e^(x − M)."""
        return torch.log1p(self.others)

    @property
    def log_partition(self) -> Tensor:
        """Z = log Σ e^x."""
        return self.largest + self.log_sum

    @property
    def anchors(self) -> Tensor:
        """The score that the sums of each slice are relative to, (processes, n): its maximum, and 0 if that is not finite."""
        return finite_or_zero(self.gathered[:, 0])

    def rows(self, place: slice | Tensor) -> Partition:
        """The same of some rows."""
        return Partition(*(part[..., place] for part in self))


def is_softmax(mapping: ProbabilityMapping) -> bool:
    """Whether these formulas are the mapping's."""
    return mapping.is_built_in and mapping.name == "softmax"


def partition_of(
    call: Call,
    block: Block,
    more: Callable[[RowSums], tuple[Tensor, ...]] = lambda sums: (),
    of_nothing: tuple[float, ...] = (),
    distance_weights: Tensor | None = None,
) -> Partition:
    """The partition of a block's rows.

    `more`(sums) chooses further numbers per row and slice to gather; `of_nothing` are those of a slice without classes. With
    `distance_weights` the sums have distances.
    """
    labels = call.targets[block.place]
    if call.size:
        sums = row_sums(
            block.scores,
            labels - call.offset,
            call.options.activation,
            class_weight=distance_weights,
            wants_distances=distance_weights is not None,
        )
        own = torch.stack([sums.largest, sums.others, sums.at_label, *more(sums)])
    else:
        neutral = torch.tensor([-float("inf"), 0.0, 0.0, *of_nothing], dtype=torch.float64, device=labels.device)
        own = neutral[:, None].repeat(1, len(labels))
    gathered = call.wire.gather(own)
    largest, others = whole_rows(gathered)
    log_prob = (gathered[:, 2].sum(0) - largest) - torch.log1p(others)
    is_bad = is_out_of_range(labels, call.classes)
    return Partition(largest, others, torch.where(is_bad, float("nan"), log_prob), gathered)


def whole_rows(gathered: Tensor) -> tuple[Tensor, Tensor]:
    """M and the others (n,), from m and o of each slice, the first two of (processes, numbers, n)."""
    largest, winner = gathered[:, 0].max(0)
    # The largest term is 1; its slice counts with the others alone.
    is_winner = torch.arange(len(gathered), device=winner.device)[:, None] == winner
    others = torch.where(is_winner, gathered[:, 1], slice_sums(gathered, largest))
    return largest, others.sum(0) + largest * 0.0


def slice_sums(gathered: Tensor, largest: Tensor) -> Tensor:
    """Σ e^(x − M) of each slice, (processes, n)."""
    return torch.exp(gathered[:, 0] - largest) * (1.0 + gathered[:, 1])


def store_slopes(
    call: Call, block: Block, numbers: RowSlopes, is_live: Tensor, class_weight: Tensor | None = None
) -> None:
    """Replace the scores of this slice by their slopes."""
    if call.size:
        places = call.targets[block.place] - call.offset
        row_slopes(block.scores, places, numbers, is_live, call.options.activation, class_weight=class_weight)


def finite_or_zero(x: Tensor) -> Tensor:
    """What scores may be relative to."""
    return torch.where(x.isfinite(), x, 0.0)


def infinite_rows(largest: Tensor) -> list[Tensor]:
    """The places of rows with a score of +inf, some at a time: the formulas of the record compute them, on every process."""
    rows = (largest == float("inf")).nonzero().squeeze(1)
    return [rows[start : start + _FORMULA_ROWS] for start in range(0, len(rows), _FORMULA_ROWS)]


def part_of(block: Block, rows: Tensor, count: int) -> Block:
    """Some rows of a block with a copy of their scores. `count` is the number of all rows of the head."""
    place = torch.arange(count, device=rows.device)[block.place][rows]
    return Block(place, block.input[rows], block.scores[rows])
