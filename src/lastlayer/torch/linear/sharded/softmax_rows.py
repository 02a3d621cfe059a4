"""The log loss of labels under softmax, and its slopes, with one gather of three or four numbers per row and process."""

from __future__ import annotations

import torch

from lastlayer.backends.torch.softmax_rows import RowSlopes, RowSums
from lastlayer.losses import LossOptions
from lastlayer.torch.linear.blocks import Block
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.facts import RowFacts
from lastlayer.torch.linear.sharded.facts import of_rows as options_of_rows
from lastlayer.torch.linear.sharded.formula_rows import formula_rows
from lastlayer.torch.linear.sharded.softmax import Partition, infinite_rows, part_of, partition_of, store_slopes

Tensor = torch.Tensor


class SoftmaxRows:
    """The losses and slopes of blocks; made once per pass, since it sums the class weights of all slices.

    The loss of a row with label l is v·((1 − ε) w_l (Z − x_l) + ε/K Σ w_i (Z − x_i)) + u·λ·Z², with the row's weight v and its part
    u of the mean's denominator.
    """

    def __init__(self, call: Call, facts: RowFacts, options: LossOptions) -> None:
        self._call, self._facts, self._options = call, facts, options
        self._spread = options.label_smoothing / call.classes
        ones = torch.ones(call.size, dtype=torch.float64, device=facts.targets.device)
        self._weights = ones if options.weight is None else options.weight.double()
        total = self._weights.sum()
        #: Σ w_i of each slice, (processes, 1).
        self._totals = call.wire.gather(total.reshape(1)) if self._spread else total.new_zeros(call.wire.size, 1)

    def __call__(self, block: Block, with_gradient: bool) -> Tensor:
        """The losses (n,) of whole rows, float64. With a gradient, the slopes of this slice replace its scores."""
        distances = (_distances, (0.0,), self._weights) if self._spread else ()
        found = partition_of(self._call, block, *distances)
        infinite = infinite_rows(found.largest)
        others = [part_of(block, rows, len(self._facts.targets)) for rows in infinite]
        losses = self._losses(block, found, with_gradient)
        for rows, part in zip(infinite, others, strict=True):
            options = options_of_rows(self._options, part.place)
            losses[rows] = formula_rows(self._call, self._facts, options, part, with_gradient)
            block.scores[rows] = part.scores
        return losses

    def _losses(self, block: Block, found: Partition, with_gradient: bool) -> Tensor:
        options, facts, place = self._options, self._facts, block.place
        labels = facts.targets[place]
        one = torch.ones_like(found.largest)
        row = one if options.sample_weight is None else options.sample_weight[place].double()
        label_weight = one if facts.label_weight is None else facts.label_weight[place]
        is_counted = (labels != options.ignore_index) & (row != 0)
        at_label = (1.0 - options.label_smoothing) * label_weight * row
        in_mean = torch.where(is_counted, row * label_weight, 0.0)
        z = found.log_partition
        losses = torch.where(at_label != 0, -at_label * found.log_prob, 0.0)
        total = at_label
        if self._spread:
            distances = found.gathered[:, 3] + self._totals * (z - found.anchors)
            losses = losses + row * (self._spread * distances.sum(0))
            total = total + row * (self._spread * self._totals.sum())
        z_slope = in_mean * (2.0 * options.z_loss * z) if options.z_loss else 0.0 * in_mean
        if options.z_loss:
            losses = losses + torch.where(in_mean != 0, in_mean * (options.z_loss * z * z), 0.0)
        is_live = is_counted & ((total != 0) | (in_mean * options.z_loss != 0))
        losses = torch.where(is_live, losses, 0.0)
        if with_gradient:
            # NaN in one slice, or a label out of range, makes the whole row NaN.
            total = torch.where(found.log_prob.isnan(), float("nan"), total)
            total = torch.where(in_mean != 0, z_slope, 0.0) + total
            self._store_slopes(block, found, total, at_label, row, is_live)
        return losses

    def _store_slopes(
        self, block: Block, found: Partition, total: Tensor, at_label: Tensor, row: Tensor, is_live: Tensor
    ) -> None:
        """p · total − ε/K w − (1 − ε) w_l at the label, whose p − 1 is −(1 − p) by expm1."""
        own = torch.exp(found.log_prob) * (total - at_label) + at_label * torch.expm1(found.log_prob)
        share = row * self._spread if self._spread else None
        numbers = RowSlopes(found.largest, found.others, total, torch.zeros_like(total), own, share)
        store_slopes(self._call, block, numbers, is_live, self._weights if self._spread else None)


def _distances(sums: RowSums) -> tuple[Tensor, ...]:
    """Σ w_i (m − x_i), whose terms are not negative."""
    return (sums.distances,)
