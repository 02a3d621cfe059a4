"""The statistics of a block under softmax with one gather of six numbers per row and process, and their slopes with none.

The entropy is log Σ e^(x − M) + Σ p (M − x): no term is negative, so that of a confident row keeps its digits.
"""

from __future__ import annotations

import torch

from lastlayer.backends.torch.softmax_rows import RowSums
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.formula_statistics import argmax_of, formula_slopes, formula_statistics
from lastlayer.torch.linear.sharded.softmax import infinite_rows, part_of, partition_of, slice_sums, store_slopes
from lastlayer.torch.linear.softmax_statistics import slopes_of_statistics

Tensor = torch.Tensor

#: Numbers per row that backward needs: M, Σ e^(x − M) without the largest term, log p of the label, entropy.
KEPT = 4


def softmax_statistics(call: Call, block: Block) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """log p of the label, entropy, Z, argmax, and what backward needs (KEPT, n)."""

    def more(sums: RowSums) -> tuple[Tensor, ...]:
        """Σ e^(x − m) (m − x), and the largest raw score with its class, for the argmax."""
        return sums.spread, sums.raw_largest, (sums.argmax + call.offset).double()

    found = partition_of(call, block, more, (0.0, -float("inf"), float(call.offset)))
    gathered, largest = found.gathered, found.largest
    shares = slice_sums(gathered, largest)
    # Σ e^(x − M) (M − x) of each slice, from its Σ e^(x − m) (m − x).
    parts = torch.exp(gathered[:, 0] - largest) * gathered[:, 3] + torch.where(
        shares == 0, 0.0, shares * (largest - found.anchors)
    )
    entropy = found.log_sum + parts.sum(0) / (1.0 + found.others)
    argmax = gathered[:, 5].gather(0, gathered[:, 4].argmax(0)[None])[0].long()
    log_prob, partition = found.log_prob.clone(), found.log_partition
    for rows in infinite_rows(found.largest):
        part = part_of(block, rows, len(call.targets))
        argmax[rows] = argmax_of(call, part)
        log_prob[rows], entropy[rows], partition[rows] = formula_statistics(call, part)
    return log_prob, entropy, partition, argmax, torch.stack([largest, found.others, found.log_prob, entropy])


def softmax_slopes(
    call: Call, block: Block, kept: Tensor, in_log_prob: Tensor, in_entropy: Tensor, in_partition: Tensor
) -> None:
    """The gradient of Σ upstream · statistic in the scores of this slice, in their place."""
    largest, others, log_prob, entropy = kept
    infinite = infinite_rows(largest)
    parts = [part_of(block, rows, len(call.targets)) for rows in infinite]
    numbers = slopes_of_statistics(largest, others, log_prob, entropy, in_log_prob, in_entropy, in_partition)
    store_slopes(call, block, numbers, call.targets[block.place] != call.options.ignore_index)
    for rows, part in zip(infinite, parts, strict=True):
        formula_slopes(call, part, in_log_prob[rows], in_entropy[rows], in_partition[rows])
        block.scores[rows] = part.scores
