"""What every process knows of all rows before the blocks: which count, their weights, and their part of the mean's denominator."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from lastlayer.losses import LossOptions, Targets
from lastlayer.losses.targets import LARGEST_TOLERANCE, TOLERANCE, TOLERANCE_PER_CLASS
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


class RowFacts(NamedTuple):
    """Per row, the same on every process."""

    #: Global labels (N,), or this process's slice of the soft targets (N, K).
    targets: Tensor
    #: The class weight of the label, float64; None without class weights or with soft targets.
    label_weight: Tensor | None
    #: False where loss and gradient are exactly 0.
    is_counted: Tensor
    #: The part of the mean's denominator, float64.
    denominators: Tensor


def row_facts(targets: Tensor, options: LossOptions, family: str, offset: int, classes: int, wire: Wire) -> RowFacts:
    """The facts of all rows: one gather of a number per row if there are class weights, else nothing is sent."""
    is_soft = targets.is_floating_point()
    label_weight = None
    every_row = torch.ones(targets.shape[0], dtype=torch.bool, device=targets.device)
    is_counted = every_row if is_soft else targets != options.ignore_index
    denominators = is_counted.double()
    if options.weight is not None:
        weights = options.weight.double()
        mine = (targets * weights != 0).any(1).double() if is_soft else _at_labels(weights, targets, offset)
        weighted = wire.gather(mine).sum(0)
        if not is_soft:
            # A label out of range counts: its row is NaN.
            weighted = torch.where((targets < 0) | (targets >= classes), 1.0, weighted)
        is_spread = family == "normalized" and options.label_smoothing != 0
        if not is_spread and not (is_soft and options.z_loss):
            is_counted = is_counted & (weighted != 0)
        if not is_soft:
            label_weight = weighted
            denominators = torch.where(denominators != 0, weighted, 0.0)
    if options.sample_weight is not None:
        is_counted = is_counted & (options.sample_weight != 0)
        denominators = torch.where(options.sample_weight != 0, denominators * options.sample_weight, 0.0)
    return RowFacts(targets, label_weight, is_counted, denominators)


def slice_targets(
    facts: RowFacts, place: slice | Tensor, options: LossOptions, offset: int, size: int, classes: int
) -> Targets:
    """The targets of some rows for the `size` classes from `offset` on, of `classes` in all, as `losses.dense_targets` gives them."""
    targets = facts.targets[place]
    one = torch.ones(targets.shape[0], dtype=torch.float64, device=targets.device)
    if targets.is_floating_point():
        y, class_weight = targets.double(), one
        is_counted = one == 1.0
    else:
        is_counted = targets != options.ignore_index
        y = (targets[:, None] == offset + torch.arange(max(1, size), device=targets.device)).double()
        class_weight = one if facts.label_weight is None else facts.label_weight[place]
        # On the CPU these raise before any block; elsewhere nobody has read them.
        is_bad = is_counted & ((targets < 0) | (targets >= classes))
        y = torch.where(is_bad[:, None], float("nan"), y)
    if not size:
        # The column of a process without classes.
        y = torch.zeros_like(one)[:, None]
    row_weight = one
    if options.sample_weight is not None:
        row_weight = options.sample_weight.double()
        is_counted = is_counted & (row_weight != 0)
    smoothing = options.label_smoothing
    smoothed = y * (1.0 - smoothing) + smoothing / classes if smoothing else y
    return Targets(y, smoothed, is_counted, row_weight, torch.where(is_counted, row_weight * class_weight, 0.0))


def of_rows(options: LossOptions, place: slice | Tensor) -> LossOptions:
    """The options with the weights of some rows."""
    weight = options.sample_weight
    return options if weight is None else replace(options, sample_weight=weight[place])


def check_slices(targets: Tensor, options: LossOptions, classes: int, wire: Wire) -> None:
    """Check soft targets in slices: two numbers per row are sent, and every process raises the same error.

    Raises:
        ValueError: a negative target, or a row whose slices do not sum to one.
    """
    wide = targets.double()
    total = wide.sum(1)
    least = wide.amin(1) if targets.shape[1] else torch.zeros_like(total)
    found = wire.gather(torch.stack([least, total], 1))
    smallest, total = found[..., 0].amin(0), found[..., 1].sum(0)
    is_asked = torch.ones_like(total, dtype=torch.bool) if options.sample_weight is None else options.sample_weight != 0
    tolerance = min(TOLERANCE + TOLERANCE_PER_CLASS * classes, LARGEST_TOLERANCE)
    for is_bad, values, words in (
        (~(smallest >= 0), smallest, "has the soft target {:g}, which is no probability; give numbers ≥ 0."),
        (
            ~((total - 1.0).abs() <= tolerance),
            total,
            "has soft targets that sum to {:.9g} over all slices; they must sum to 1.",
        ),
    ):
        rows = (is_bad & is_asked).nonzero()
        if len(rows):
            row = int(rows[0])
            raise ValueError(f"row {row} {words.format(float(values[row]))}")


def _at_labels(weights: Tensor, labels: Tensor, offset: int) -> Tensor:
    """The weight of each label that is among this process's classes, else 0."""
    if not len(weights):
        return torch.zeros_like(labels, dtype=torch.float64)
    local = labels - offset
    is_mine = (local >= 0) & (local < len(weights))
    return torch.where(is_mine, weights[local.clamp(0, len(weights) - 1)], 0.0)
