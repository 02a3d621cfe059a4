"""Host function: losses of rows of raw tensors, and their gradients."""

from __future__ import annotations

import torch

from lastlayer.kernels.triton.cross_entropy import cross_entropy
from lastlayer.kernels.triton.launch import launch_for


def loss(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    mapping: str,
    parameter: float | None = None,
    weight: torch.Tensor | None = None,
    sample_weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    with_gradient: bool = False,
    out: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    rows, classes = scores.shape
    is_soft = targets.is_floating_point()
    losses = torch.empty(rows, dtype=torch.float32, device=scores.device)
    gradient = None
    if with_gradient:
        gradient = torch.empty((rows, classes), dtype=scores.dtype, device=scores.device) if out is None else out
    if rows:
        launch = launch_for(rows, classes)
        cross_entropy[launch.grid](
            scores, targets, weight, sample_weight, losses, gradient, rows, classes,
            scores.stride(0), targets.stride(0), 0 if gradient is None else gradient.stride(0),
            ignore_index, 1.0 - label_smoothing, label_smoothing / classes, z_loss, 1.0 if softcap is None else softcap, temperature,
            IS_SOFT=is_soft, HAS_WEIGHT=weight is not None, HAS_SAMPLE_WEIGHT=sample_weight is not None,
            HAS_SMOOTHING=label_smoothing != 0, HAS_Z_LOSS=z_loss != 0, HAS_SOFTCAP=softcap is not None,
            HAS_TEMPERATURE=temperature != 1, HAS_GRADIENT=with_gradient, **launch.sizes)
    return losses, gradient
