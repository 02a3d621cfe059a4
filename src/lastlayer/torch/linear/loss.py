"""`linear_loss`: the loss of scores = input · weightᵀ + bias without ever storing them all."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.activation import Activation
from lastlayer.functions.names import resolve_mapping
from lastlayer.functions.scores import is_eager
from lastlayer.losses import LossOptions, check_labels, check_soft_targets
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.implementation import FRAMEWORK
from lastlayer.torch.linear.arguments import Head, prepare_head
from lastlayer.torch.linear.eager import head_loss
from lastlayer.torch.linear.plan import block_rows, plan
from lastlayer.torch.operators import flatten

Tensor = torch.Tensor


def linear_loss(
    input: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    mapping: str | ProbabilityMapping = "softmax",
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    reduction: str = "mean",
    max_memory: int | None = None,
) -> Any:
    """The loss of a linear head, as `ll.loss(input @ weight.T + bias, targets)` gives it, in blocks of rows.

    Where the loss is reduced its gradients are computed in the same pass: three matrix products, each score computed once.
    With reduction="none" backward computes the scores again. Rows whose label is `ignore_index` cost nothing on the CPU.

    Args:
        input: (..., D), float32, bfloat16, float16 or float64; cast like F.linear under autocast.
        weight: (K, D), of the same dtype.
        targets: labels (...) or soft targets (..., K).
        bias: (K,) or None.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        class_weight: one weight a class, (K,); what `ll.loss` calls `weight`.
        reduction: "mean", "sum", "none" (...) or "parts": (total, denominator), which add up over micro-batches.
        max_memory: bytes above inputs and gradients; by default the larger of 64 MiB and a third of the weight's size, on CUDA of
            512 MiB and eight fifths of it.
        sample_weight, ignore_index, label_smoothing, z_loss, temperature, softcap: as for `ll.loss`.

    Returns:
        The loss, float32 (float64 for float64 inputs). Gradients flow to input, weight and bias; what needs none is not
        computed. The gradient of the weight is summed over blocks in float32 at least.

    Raises:
        IndexError: a label out of range (on the CPU; elsewhere and under tracing it makes its loss NaN).
        TypeError, ValueError: dtypes or shapes that do not fit.

    The row losses have the mapping's error bound at the scores that the matrix product gives.

    >>> import torch
    >>> input, weight = torch.eye(2), torch.tensor([[1.0, 0.0], [0.5, 0.0]])
    >>> round(float(linear_loss(input, weight, torch.tensor([0, 1]))), 6)
    0.583612
    """
    options = LossOptions(
        weight=class_weight,
        sample_weight=None if sample_weight is None else sample_weight.reshape(-1),
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        activation=Activation(temperature=temperature, softcap=softcap),
        reduction=reduction,
    )
    record = resolve_mapping(mapping)
    head = prepare_head(input, weight, bias)
    goal = _targets(targets, head, ignore_index)
    _check_weights(options, head)
    classes, features = head.weight.shape
    rows, x = head.input.shape[0], head.input
    height = block_rows(rows, features, classes, x.dtype, x.device, max_memory)
    tracked = torch.is_grad_enabled()
    wanted = [t is not None and t.requires_grad and tracked for t in (head.input, head.weight, head.bias)]
    value, denominator = head_loss(head.input, head.weight, head.bias, *flatten(record, goal, options), height, *wanted)
    if reduction == "parts":
        return value, denominator.detach()
    return value.reshape(head.shape) if reduction == "none" else value


linear_loss.plan = plan  # type: ignore[attr-defined]


def _targets(targets: Tensor, head: Head, ignore_index: int) -> Tensor:
    """Labels (N,) or soft targets (N, K), checked where their values may be looked at."""
    if not isinstance(targets, torch.Tensor):
        raise TypeError(f"targets are {type(targets).__name__}; give a torch tensor of labels or soft targets.")
    classes = head.weight.shape[0]
    if targets.shape == (*head.shape, classes) and targets.dtype.is_floating_point:
        soft = targets.reshape(-1, classes)
        if is_eager(soft):
            check_soft_targets(soft, FRAMEWORK.namespace)
        return soft
    if targets.shape != head.shape:
        raise ValueError(
            f"targets have shape {tuple(targets.shape)} for input of shape {(*head.shape, head.input.shape[-1])}; "
            f"give labels of shape {tuple(head.shape)} or soft targets of shape {(*head.shape, classes)}."
        )
    if targets.dtype.is_floating_point or targets.dtype == torch.bool or targets.dtype.is_complex:
        raise TypeError(f"labels are {targets.dtype}; give integers 0..{classes - 1}, for example targets.long().")
    labels = targets.reshape(-1)
    if is_eager(labels):
        check_labels(labels, classes, ignore_index, FRAMEWORK.namespace)
    return labels


def _check_weights(options: LossOptions, head: Head) -> None:
    rows, classes = head.input.shape[0], head.weight.shape[0]
    for name, value, size in (
        ("class_weight", options.weight, classes),
        ("sample_weight", options.sample_weight, rows),
    ):
        if value is None:
            continue
        if value.shape != (size,):
            raise ValueError(f"{name} has {value.numel()} entries; give {size}.")
        if is_eager(value) and bool((~(value >= 0)).any()):
            raise ValueError(f"{name} has a negative or NaN entry; weights must be ≥ 0.")
