"""The statistics of a block under softmax with one gather of six numbers per row and process, and their slopes with none.

The entropy is log Σ e^(x − M) + Σ p (M − x): no term is negative, so that of a confident row keeps its digits.
"""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.formula_statistics import argmax_of, formula_slopes, formula_statistics
from lastlayer.torch.linear.sharded.softmax import chunks, infinite_rows, part_of, partition_of, slice_sums

Tensor = torch.Tensor

#: Numbers per row that backward needs: M, log Σ e^(x − M), log p of the label, entropy.
KEPT = 4


def softmax_statistics(call: Call, block: Block) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """log p of the label, entropy, Z, argmax, and what backward needs (KEPT, n)."""

    def more(raw: Tensor, difference: Tensor) -> tuple[Tensor, ...]:
        """Σ e^(x − m) (m − x), and the largest raw score with its class, for the argmax."""
        terms = torch.where(difference == -float("inf"), 0.0, -difference * torch.exp(difference))
        largest, place = raw.max(1)
        return terms.sum(1), largest, (place + call.offset).double()

    found = partition_of(call, block, more, (0.0, -float("inf"), float(call.offset)))
    gathered, largest = found.gathered, found.largest
    shares = slice_sums(gathered, largest)
    # Σ e^(x − M) (M − x) of each slice, from its Σ e^(x − m) (m − x).
    parts = torch.exp(gathered[:, 0] - largest) * gathered[:, 3] + torch.where(
        shares == 0, 0.0, shares * (largest - found.anchors)
    )
    entropy = found.log_sum + parts.sum(0) * torch.exp(-found.log_sum)
    argmax = gathered[:, 5].gather(0, gathered[:, 4].argmax(0)[None])[0].long()
    labels = call.targets[block.place]
    log_prob = torch.where(labels == call.options.ignore_index, 0.0, found.log_prob)
    partition = found.log_partition
    for rows in infinite_rows(found.largest):
        part = part_of(block, rows, len(call.targets))
        argmax[rows] = argmax_of(call, part)
        log_prob[rows], entropy[rows], partition[rows] = formula_statistics(call, part)
    return log_prob, entropy, partition, argmax, torch.stack([largest, found.log_sum, found.log_prob, entropy])


def softmax_slopes(
    call: Call, block: Block, kept: Tensor, in_log_prob: Tensor, in_entropy: Tensor, in_partition: Tensor
) -> None:
    """p · (c − a − b (log p + H)), and a · (1 − p) at the label by expm1, in the place of the scores.

    a, b and c are the gradients from upstream in log p of the label, the entropy H and Z.
    """
    largest, log_sum, log_prob, entropy = kept
    labels = call.targets[block.place]
    a = torch.where(labels == call.options.ignore_index, 0.0, in_log_prob)
    a = torch.where((labels != call.options.ignore_index) & log_prob.isnan(), float("nan"), a)
    infinite = infinite_rows(largest)
    parts = [part_of(block, rows, len(call.targets)) for rows in infinite]
    for place, raw, x in chunks(call, block):
        logs = (x - largest[place, None]) - log_sum[place, None]
        p = torch.exp(logs)
        spread = torch.where(p == 0.0, 0.0, in_entropy[place, None] * (logs + entropy[place, None]))
        local = labels[place] - call.offset
        is_mine = ((local >= 0) & (local < call.size))[:, None]
        index = local.clamp(0, max(0, call.size - 1))[:, None]
        at_label = p.gather(1, index) * (in_partition[place, None] - spread.gather(1, index)) - a[
            place, None
        ] * torch.expm1(logs.gather(1, index))
        slopes = p * (in_partition[place, None] - a[place, None] - spread)
        slopes.scatter_(1, index, torch.where(is_mine, at_label, slopes.gather(1, index)))
        block.scores[place] = call.options.activation.pull_back(raw, slopes, xp).to(block.scores.dtype)
    for rows, part in zip(infinite, parts, strict=True):
        formula_slopes(call, part, in_log_prob[rows], in_entropy[rows], in_partition[rows])
        block.scores[rows] = part.scores
