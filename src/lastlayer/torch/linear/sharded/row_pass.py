"""One pass over rows whose losses are reduced at its end: how each row is weighted, and which rows are visited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.backends import loss_dtype
from lastlayer.backends.torch.reduction import inverse, reduce_rows
from lastlayer.losses import LossOptions
from lastlayer.torch.linear.blocks import LossGradients, in_units

Tensor = torch.Tensor


class Found(NamedTuple):
    """The reduced loss, and gradients that are those of the loss times `scale`."""

    value: Any
    scale: Tensor
    gradients: LossGradients
    #: False for the rows whose gradient is exactly 0.
    is_counted: Tensor


class RowPass:
    """The scale of a mean is part of the row weights, except in float16, where slopes would underflow.

    Args:
        denominators: (N,) float64, each row's part of the mean's denominator.
        is_counted: (N,), the same on every process, so that all visit the same rows.
    """

    def __init__(self, input: Tensor, options: LossOptions, denominators: Tensor, is_counted: Tensor) -> None:
        is_mean, is_float16 = options.reduction == "mean", input.dtype == torch.float16
        self._denominators, self._is_counted, self._reduction = denominators, is_counted, options.reduction
        self._dtype, self._is_scaled = loss_dtype(input, xp), is_mean and not is_float16
        # Elsewhere than on the CPU the answer would wait.
        is_skipping = input.device.type == "cpu" and not bool(is_counted.all())
        #: The rows to be visited, None for all.
        self.rows = is_counted.nonzero().squeeze(1) if is_skipping else None
        self._scale = inverse(denominators.sum()) if is_mean else denominators.new_ones(())
        self._unit, weights = torch.ones_like(self._scale), options.sample_weight
        weights = None if weights is None else weights.double()
        if self._is_scaled:
            weights = self._scale.expand(input.shape[0]) if weights is None else weights * self._scale
        if is_float16 and weights is not None:
            weights, self._unit = in_units(weights)
        #: Those of the rows.
        self.options = replace(options, reduction="none", sample_weight=weights)
        #: (N,) float64, to be filled; rows that no block visits have none.
        self.losses = denominators.new_zeros(input.shape[0])

    def found(self, gradients: LossGradients) -> Found:
        """What the pass has found, when all losses are there."""
        reduction = "sum" if self._is_scaled else self._reduction
        value = reduce_rows(self.losses * self._unit, self._denominators, reduction)
        value = tuple(part.to(self._dtype) for part in value) if isinstance(value, tuple) else value.to(self._dtype)
        scale = torch.ones_like(self._scale) if self._is_scaled else self._scale * self._unit
        return Found(value, scale, gradients, self._is_counted)
