"""Mapping and loss options as an operator's arguments, and back: the one place that knows their order."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.activation import Activation
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.records import key_of, record_of, row_parameter

#: What follows the tensors that an operator works on. `targets` are soft where they are floats.
LOSS_SCHEMA = (
    "Tensor targets, Tensor? class_weight, Tensor? sample_weight, Tensor? parameter, str mapping, int ignore_index, "
    "float label_smoothing, float z_loss, float temperature, float? softcap, str reduction"
)
#: How many arguments that is, and where the tensors of them stand.
COUNT = 11


def flatten(mapping: ProbabilityMapping, targets: torch.Tensor, options: LossOptions) -> tuple[Any, ...]:
    """The arguments of `LOSS_SCHEMA`."""
    return (
        targets,
        options.weight,
        options.sample_weight,
        row_parameter(mapping),
        key_of(mapping),
        options.ignore_index,
        float(options.label_smoothing),
        float(options.z_loss),
        float(options.activation.temperature),
        None if options.activation.softcap is None else float(options.activation.softcap),
        options.reduction,
    )


def unflatten(arguments: tuple[Any, ...]) -> tuple[ProbabilityMapping, torch.Tensor, LossOptions]:
    """Mapping, targets and options from the arguments of `LOSS_SCHEMA`."""
    targets, weight, sample_weight, parameter, key, ignore_index, smoothing, z_loss, temperature, softcap, how = (
        arguments
    )
    options = LossOptions(
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=smoothing,
        z_loss=z_loss,
        activation=Activation(temperature=temperature, softcap=softcap),
        reduction=how,
    )
    return record_of(key, parameter), targets, options


def is_soft(targets: torch.Tensor) -> bool:
    """Whether targets are distributions rather than labels."""
    return targets.dtype.is_floating_point
