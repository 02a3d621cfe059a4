"""A head's arguments at the boundary: shapes, dtypes, devices, autocast, and what may require a gradient."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.backends.torch.tensor_state import asks_for_gradient
from lastlayer.functions.scores import is_eager
from lastlayer.losses import LossOptions, check_soft_targets, refuse_unknown
from lastlayer.losses.options import DEFAULTS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.labels import prepare_labels
from lastlayer.torch.linear.row_factors import over

Tensor = torch.Tensor


#: What a head calls each option of a loss.
HEAD_OPTIONS = {"class_weight" if name == "weight" else name: name for name in DEFAULTS}


def options_of_head(function: str, given: Any) -> LossOptions:
    """A head's keywords as the options of a loss.

    Raises:
        TypeError: an option that there is not.
    """
    refuse_unknown(function, given, HEAD_OPTIONS)
    return LossOptions(**{HEAD_OPTIONS[name]: value for name, value in given.items()})


class Head(NamedTuple):
    """Inputs (N, D), weight (K, D), bias (K,) or None, of one dtype, and the shape of the rows they came in."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    shape: torch.Size


def prepare_head(input: Tensor, weight: Tensor, bias: Tensor | None, *, may_be_empty: bool = False) -> Head:
    """Check a head's tensors, cast them under autocast, and flatten the rows to (N, D). A slice of the classes may be empty.

    Raises:
        TypeError: no floating-point tensors, sharded ones, or different dtypes outside autocast.
        ValueError: shapes that do not fit.
    """
    check_head_tensors(input, weight, bias, may_be_empty=may_be_empty)
    device = input.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        input, weight = input.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.dtype != input.dtype:
            raise TypeError(
                f"input is {input.dtype} but {name} is {tensor.dtype}; use one dtype, or torch.autocast({device!r})."
            )
    shape = input.shape[:-1]
    # Not reshape(−1, D): with D = 0 the number of rows would be ambiguous.
    return Head(input.reshape(math.prod(shape), input.shape[-1]), weight, bias, shape)


def check_head_tensors(input: Tensor, weight: Tensor, bias: Tensor | None, *, may_be_empty: bool = False) -> None:
    """Raise TypeError or ValueError, as `prepare_head` does, for tensors that make no head."""
    for name, tensor in (("input", input), ("weight", weight), ("bias", bias)):
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
            what = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"{name} is {what}; give a torch tensor of float64, float32, float16 or bfloat16.")
        refuse_sharded(name, tensor)
    if weight.ndim != 2 or input.ndim < 1 or input.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"input has shape {tuple(input.shape)} and weight {tuple(weight.shape)}; "
            "give input (..., features) and weight (classes, features)."
        )
    if weight.shape[0] == 0 and not may_be_empty:
        raise ValueError(f"weight has shape {tuple(weight.shape)}: no class; give at least one row.")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {tuple(bias.shape)}; give one number per class, ({weight.shape[0]},).")


def refuse_sharded(name: str, tensor: Tensor) -> None:
    """Raise TypeError for a DTensor, whose classes or features may lie on several processes."""
    if hasattr(tensor, "device_mesh"):
        raise TypeError(
            f"{name} is a DTensor; the head needs it whole: pass {name}.full_tensor(), or, under FSDP, call the layer's forward "
            "or a method given to torch.distributed.fsdp.register_fsdp_forward_method; if its classes are to stay in slices, pass "
            f"{name}.to_local() and group={name}.device_mesh.get_group(dimension)."
        )


def refuse_gradients(**arguments: Any) -> None:
    """Raise TypeError for an argument that requires a gradient which the head does not compute."""
    for name, value in arguments.items():
        if asks_for_gradient(value):
            raise TypeError(f"{name} requires a gradient, which a linear head does not compute; pass {name}.detach().")


def prepare_targets(targets: Any, head: Head, options: LossOptions) -> Tensor:
    """Labels (N,) as int64 or soft targets (N, K), checked if their values may be read now.

    Raises:
        TypeError: labels that are no integers, or soft targets that require a gradient.
        ValueError: another shape, or soft targets that are no distributions.
        IndexError: a label out of range.
    """
    if not isinstance(targets, torch.Tensor):
        raise TypeError(f"targets are {type(targets).__name__}; give a torch tensor of labels or soft targets.")
    classes = head.weight.shape[0]
    if targets.shape == (*head.shape, classes) and targets.dtype.is_floating_point:
        refuse_gradients(targets=targets)
        soft = targets.reshape(-1, classes)
        weight = options.sample_weight
        if is_eager(soft) and (weight is None or is_eager(weight)):
            check_soft_targets(soft, xp, None if weight is None else weight != 0)
        return soft
    if targets.shape != head.shape:
        raise ValueError(
            f"targets have shape {tuple(targets.shape)} for input of shape {(*head.shape, head.input.shape[-1])}; "
            f"give labels of shape {tuple(head.shape)} or soft targets of shape {(*head.shape, classes)}."
        )
    return prepare_labels(targets, head.shape, classes, options.ignore_index)


def prepare_weights(options: LossOptions, head: Head) -> LossOptions:
    """Class weights (K,) and sample weights, one per row, as (N,).

    Raises:
        TypeError: weights that are no tensor, or require a gradient.
        ValueError: another shape, or a negative or NaN weight.
    """
    rows = options.sample_weight
    for name, value, shapes in (
        ("class_weight", options.weight, (head.weight.shape[:1],)),
        ("sample_weight", rows, (head.shape, head.input.shape[:1])),
    ):
        if value is None:
            continue
        if not isinstance(value, torch.Tensor) or value.dtype.is_complex:
            what = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise TypeError(f"{name} is {what}; give a torch tensor of shape {tuple(shapes[0])}.")
        refuse_gradients(**{name: value})
        if value.shape not in shapes:
            raise ValueError(f"{name} has shape {tuple(value.shape)}; give {tuple(shapes[0])}.")
        if is_eager(value) and bool((~(value >= 0)).any()):
            raise ValueError(f"{name} has a negative or NaN entry; weights must be ≥ 0.")
    return options if rows is None else replace(options, sample_weight=rows.reshape(-1))


def prepare_mapping(mapping: ProbabilityMapping, head: Head) -> ProbabilityMapping:
    """The mapping; a tensor among its parameters becomes one value per row (N,).

    Raises:
        TypeError: a parameter that requires a gradient.
        ValueError: another shape.
    """
    values = {name: value for name, value in mapping.values.items() if isinstance(value, torch.Tensor)}
    refuse_gradients(**values)
    if not values:
        return mapping
    return mapping.replace(**{name: per_row(name, value, head) for name, value in values.items()})


def per_row(name: str, values: Tensor, head: Head) -> Tensor:
    """One number, or one per row of input, (...) or (N,), as (N,)."""
    rows = head.input.shape[:1]
    if values.numel() == 1 and values.ndim <= 1:
        return values.reshape(1).expand(rows)
    if values.shape not in (head.shape, rows):
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}; give one number, or one per row, {tuple(head.shape)}."
        )
    return values.reshape(-1)


def divide_by_temperature(head: Head, temperature: Any, softcap: Any) -> tuple[Head, Any]:
    """Apply a temperature that is a tensor, one number or one per row: returns the head of the divided scores, and temperature 1.

    (h · Wᵀ + b) / T is the head with h/T and b/T, whose gradients give the gradient of T. A number is left to the kernels.

    Raises:
        TypeError: a tensor together with a softcap, unless it is one number without a gradient.
        ValueError: another shape, or a temperature that is not positive.
    """
    if not isinstance(temperature, torch.Tensor):
        return head, temperature
    if is_eager(temperature) and not bool(((temperature > 0) & temperature.isfinite()).all()):
        raise ValueError("temperature has an entry that is no positive finite number.")
    is_constant = temperature.numel() == 1 and not asks_for_gradient(temperature)
    if is_constant and (is_eager(temperature) or softcap is not None):
        return head, float(temperature)
    if softcap is not None:
        raise TypeError(
            "temperature is a tensor and there is a softcap; give one number without a gradient, such as temperature.item(), or "
            "leave out the softcap."
        )
    if not is_eager(temperature):
        temperature = torch.where((temperature > 0) & temperature.isfinite(), temperature, float("nan"))
    divisor = per_row("temperature", temperature, head)
    input, weight, bias = head.input, head.weight, head.bias
    if bias is not None and temperature.numel() != 1:
        # The bias is divided by another number in each row: it becomes the weight of one more feature.
        input = torch.cat([input, input.new_ones(input.shape[0], 1)], 1)
        weight, bias = torch.cat([weight, bias[:, None]], 1), None
    elif bias is not None:
        bias = over(bias, temperature.reshape(())).to(bias.dtype)
    return Head(over(input, divisor[:, None]).to(input.dtype), weight, bias, head.shape), 1.0
