"""`linear_loss`: the loss of scores = input · weightᵀ + bias without ever storing them all."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.activation import Activation
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import (
    divide_by_temperature,
    prepare_head,
    prepare_mapping,
    prepare_targets,
    prepare_weights,
    refuse_gradients,
)
from lastlayer.torch.linear.eager import head_loss
from lastlayer.torch.linear.plan import check_max_memory, plan
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
    temperature: float | Tensor = 1.0,
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
        targets: labels (...) of any integer dtype, or soft targets (..., K).
        bias: (K,) or None.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        class_weight: one weight per class, (K,); what `ll.loss` calls `weight`.
        reduction: "mean", "sum", "none" (...) or "parts": (total, denominator), which add up over micro-batches.
        max_memory: bytes above inputs and gradients; by default the larger of 64 MiB and a third of the weight's size, on CUDA of
            512 MiB and eight fifths of it.
        temperature: a number; or a tensor of one number or one per row (...), without a softcap: it may be learned.
        sample_weight, ignore_index, label_smoothing, softcap: as for `ll.loss`.
        z_loss: λ of the added λ·Z², weighed as the row is in the mean, class weight included. Liger and cut-cross-entropy
            divide Z² by the rows instead, so that there the scale of the class weights sets its strength.

    Returns:
        The loss, float32 (float64 for float64 inputs). Gradients flow to input, weight, bias and temperature; what needs none is
        not computed. The gradient of the weight is summed over blocks in float32 at least; float16 gradients are sums in
        float32, rounded once. A row that does not count has gradient 0, even where infinity or NaN arrives from upstream.

    Raises:
        IndexError: a label out of range (on the CPU; elsewhere and under tracing it makes its loss NaN).
        TypeError: dtypes that do not fit, or a gradient required of any other argument.
        ValueError: shapes that do not fit, soft targets that are no distributions, or an option outside its range.

    The row losses have the mapping's error bound at the scores that the matrix product gives.

    >>> import torch
    >>> input, weight = torch.eye(2), torch.tensor([[1.0, 0.0], [0.5, 0.0]])
    >>> round(float(linear_loss(input, weight, torch.tensor([0, 1]))), 6)
    0.583612
    """
    refuse_gradients(softcap=softcap, label_smoothing=label_smoothing, z_loss=z_loss)
    check_max_memory(max_memory)
    head, number = divide_by_temperature(prepare_head(input, weight, bias), temperature, softcap)
    options = LossOptions(
        weight=class_weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        activation=Activation(temperature=number, softcap=softcap),
        reduction=reduction,
    )
    record = prepare_mapping(resolve_mapping(mapping), head)
    options = prepare_weights(options, head)
    goal = prepare_targets(targets, head, options)
    tracked = torch.is_grad_enabled()
    wanted = [t is not None and t.requires_grad and tracked for t in (head.input, head.weight, head.bias)]
    value, denominator = head_loss(
        head.input, head.weight, head.bias, *flatten(record, goal, options), max_memory, *wanted
    )
    if reduction == "parts":
        return value, denominator.detach()
    return value.reshape(head.shape) if reduction == "none" else value


linear_loss.plan = plan  # type: ignore[attr-defined]
