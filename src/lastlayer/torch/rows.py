"""Rows of plain tensors by whatever serves them: native kernels on the CPU, Triton kernels on CUDA, else the formulas."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.dispatch import portable_evaluate, portable_loss
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch import cpu, gpu


def has_kernels(mapping: ProbabilityMapping, scores: torch.Tensor) -> bool:
    """Whether compiled kernels serve every quantity of these rows."""
    return cpu.serves(mapping, scores) or gpu.serves(mapping, scores, "loss")


def evaluate_rows(
    mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str, out: torch.Tensor | None = None
) -> torch.Tensor:
    """A quantity of every row, without gradient tracking."""
    if cpu.serves(mapping, scores):
        return cpu.evaluate(mapping, scores, quantity, out)
    if gpu.serves(mapping, scores, quantity):
        return gpu.evaluate(mapping, scores, quantity, out)
    result: torch.Tensor = portable_evaluate(mapping, scores.detach(), quantity)
    return result


def loss_rows(
    mapping: ProbabilityMapping,
    scores: torch.Tensor,
    targets: torch.Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: torch.Tensor | None = None,
    gradient_scale: float = 1.0,
) -> tuple[Any, torch.Tensor | None]:
    """The loss, reduced, and its gradient where asked for, without gradient tracking; `out` may be the scores.

    The gradient of another loss than a mean may be scaled.
    """
    if cpu.serves(mapping, scores):
        return cpu.loss(mapping, scores, targets, is_soft, options, with_gradient, out, gradient_scale)
    if gpu.serves(mapping, scores, "loss"):
        value, gradient = gpu.loss(mapping, scores, targets, is_soft, options, with_gradient, out)
    else:
        value, gradient = portable_loss(mapping, scores.detach(), targets.detach(), is_soft, options, with_gradient)
    if gradient is not None and gradient_scale != 1.0:
        gradient = gradient * gradient_scale
    return value, gradient
