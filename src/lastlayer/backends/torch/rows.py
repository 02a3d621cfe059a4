"""Rows of plain tensors, by what serves their device: native kernels on the CPU, Triton kernels on CUDA, formulas otherwise."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.backends.native import kernel_name
from lastlayer.backends.portable import portable_evaluate, portable_loss
from lastlayer.backends.torch import cpu, gpu
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping


def serves(mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str) -> str:
    """The name of the code that computes a quantity, or the "loss", of these scores."""
    if cpu.serves(mapping, scores):
        return kernel_name()
    return "triton" if gpu.serves(mapping, scores, quantity) else "portable formulas"


def has_kernels(mapping: ProbabilityMapping, scores: torch.Tensor) -> bool:
    """Whether compiled kernels serve every quantity of these rows."""
    return cpu.serves(mapping, scores) or gpu.serves(mapping, scores, "loss")


def evaluate_rows(
    mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str, out: torch.Tensor | None = None
) -> torch.Tensor:
    """A quantity of every row, without derivative tracking."""
    if cpu.serves(mapping, scores):
        return cpu.evaluate(mapping, scores, quantity, out)
    if gpu.serves(mapping, scores, quantity):
        return gpu.evaluate(mapping, scores, quantity, out)
    result: torch.Tensor = portable_evaluate(mapping, scores.detach(), quantity, xp=xp)
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
    """The loss, reduced, and its gradient if asked for, without derivative tracking; `out` may be the scores.

    `gradient_scale` multiplies the gradient, except that of a mean.
    """
    if cpu.serves(mapping, scores):
        return cpu.loss(mapping, scores, targets, is_soft, options, with_gradient, out, gradient_scale)
    if gpu.serves(mapping, scores, "loss"):
        value, gradient = gpu.loss(mapping, scores, targets, is_soft, options, with_gradient, out)
    else:
        value, gradient = portable_loss(
            mapping, scores.detach(), targets.detach(), is_soft, options, with_gradient, xp=xp
        )
    if gradient is not None and gradient_scale != 1.0:
        gradient = gradient * gradient_scale
    return value, gradient
