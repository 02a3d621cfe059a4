"""Backward scales the kept sums by the upstream gradient and the scale of the mean; what does not count stays exactly 0."""

from __future__ import annotations

import math

import array_api_compat.torch as xp
import torch

from lastlayer.backends.torch import gpu
from lastlayer.losses import LossOptions, counted_rows
from lastlayer.torch.linear.blocks import Gradients, in_units

Tensor = torch.Tensor


def scale_sums(
    upstream: Tensor, scale: Tensor, sums: tuple[Tensor, ...], targets: Tensor, options: LossOptions, family: str
) -> None:
    """Multiply the sums for input (N, D), weight, bias and label scores (N,) by upstream · scale, in place.

    An infinite or NaN factor reaches the rows that count and the sums over them; everything else stays 0. On the CPU a finite factor
    needs no further check. On CUDA nothing waits for the device.
    """
    factor = upstream.double() * scale
    is_on_host = factor.device.type == "cpu" and not gpu.is_device(factor)
    if is_on_host and math.isfinite(number := float(factor)):
        if number != 1.0:
            for total in sums:
                # A Python number: half types are then multiplied in float32; a tensor would first be rounded to the half type.
                total.mul_(number)
        return
    counted = counted_rows(targets, targets.is_floating_point(), options, family, xp)
    # If no row counts, the sums of weight and bias are zero and stay zero.
    common = torch.where(counted.any(), factor, 0.0)
    of_rows = (counted, None, None, counted)
    for total, by, rows in zip(sums, (factor, common, common, factor), of_rows, strict=True):
        if total.numel():
            gpu.scale_in_place(total, by, rows)


def weighted_rows(upstream: Tensor, options: LossOptions) -> Tensor:
    """Row weights for losses that are not reduced: upstream · sample weight, 0 where the sample weight is 0."""
    weight = options.sample_weight
    return upstream if weight is None else torch.where(weight != 0, upstream * weight, 0.0)


class Upstream:
    """What arrives from upstream in the statistics of each row, 0 in rows that do not count.

    float16 slopes of a block would overflow or vanish with it: it is then divided by its largest number, and the float32 sums of the
    gradients are multiplied by that.
    """

    _unit: Tensor | None

    def __init__(self, parts: tuple[Tensor, ...], is_live: Tensor, dtype: torch.dtype) -> None:
        live = torch.stack([torch.where(is_live, part, 0.0) for part in parts])
        self._rows, self._unit = in_units(live) if dtype == torch.float16 else (live, None)

    def __getitem__(self, place: slice | Tensor) -> tuple[Tensor, ...]:
        """One tensor per statistic, of some rows."""
        return tuple(self._rows[:, place])

    def scale(self, sums: Gradients) -> Gradients:
        """The gradients from their sums."""
        return sums if self._unit is None else Gradients(*(total * self._unit for total in sums))
