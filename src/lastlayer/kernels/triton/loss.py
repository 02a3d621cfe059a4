"""Host function: losses of rows of raw tensors, and their gradients."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.kernels.triton.launch import run
from lastlayer.kernels.triton.options import LossOptions
from lastlayer.kernels.triton.serves import check, check_rows
from lastlayer.kernels.triton.softmax.cross_entropy import cross_entropy
from lastlayer.kernels.triton.sparse.fenchel_young import fenchel_young


def loss(
    scores: torch.Tensor,
    targets: torch.Tensor,
    *,
    mapping: str,
    parameter: float | None = None,
    with_gradient: bool = False,
    out: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The rows' losses (N,) in float32 and, if asked for, their gradients in the scores (N, K) in the scores' dtype.

    Neither is reduced or divided by anything. Ignored rows, and rows of sample weight 0, are not read and have loss 0 and
    gradient 0; a label out of range makes its row NaN. Nothing waits for the device.

    Args:
        scores: (N, K), float32, float16 or bfloat16; rows may have any stride, classes are contiguous.
        targets: labels (N,) of an integer type, or soft targets (N, K) of a floating one.
        mapping: "softmax" (cross-entropy), "sparsemax" or "entmax" (Fenchel–Young losses).
        parameter: 1.5 or None for entmax.
        out: where to write the gradient, like the scores; it may be the scores themselves.
        options: the fields of `LossOptions`.

    Raises:
        TypeError, ValueError: what was asked for has no kernel.
    """
    check(mapping, parameter, "loss", scores)
    asked = LossOptions(**options)
    rows, classes = scores.shape
    is_soft = targets.is_floating_point()
    if is_soft:
        check_rows("targets", targets, (rows, classes))
    elif tuple(targets.shape) != (rows,):
        raise ValueError(f"labels have the shape {tuple(targets.shape)}; it must be ({rows},).")
    losses = torch.empty(rows, dtype=torch.float32, device=scores.device)
    gradient = None
    if with_gradient:
        gradient = torch.empty(rows, classes, dtype=scores.dtype, device=scores.device) if out is None else out
        check_rows("out", gradient, (rows, classes))
    if rows == 0:
        return losses, gradient
    is_softmax = mapping == "softmax"
    run(
        cross_entropy if is_softmax else fenchel_young,
        _rule(scores.dtype, with_gradient, is_heavy=not is_softmax or is_soft or asked.is_heavy),
        rows,
        classes,
        scores,
        targets if is_soft else targets.contiguous(),
        losses,
        gradient,
        rows,
        classes,
        scores.stride(0),
        targets.stride(0),
        0 if gradient is None else gradient.stride(0),
        asked.for_kernel(rows, classes),
        IS_SOFT=is_soft,
        **({} if is_softmax else {"IS_ENTMAX": mapping == "entmax"}),
    )
    return losses, gradient


def _rule(dtype: torch.dtype, with_gradient: bool, is_heavy: bool) -> str:
    """The launch rule of a loss; heavy are those that need many registers per score."""
    if is_heavy:
        return "heavy"
    if not with_gradient:
        return "number"
    return "gradient" if dtype == torch.float32 else "gradient, half"
