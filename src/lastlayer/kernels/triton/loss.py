"""Host function: losses of rows of raw tensors, and their gradients."""

from __future__ import annotations

import torch

from lastlayer.kernels.triton.launch import run
from lastlayer.kernels.triton.serves import check, check_rows
from lastlayer.kernels.triton.softmax.cross_entropy import cross_entropy
from lastlayer.kernels.triton.sparse.fenchel_young import fenchel_young


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
    """The rows' losses (N,) in float32 and, where asked for, their gradients in the scores (N, K) in the scores' dtype.

    Neither is reduced or divided by anything. Rows to ignore, and rows of sample weight 0, are not read and have loss 0 and
    gradient 0; a label out of range makes its own row NaN. Nothing waits for the device.

    Args:
        scores: (N, K), float32, float16 or bfloat16; rows may have any stride, classes are contiguous.
        targets: labels (N,) of an integer type, or soft targets (N, K) of a floating one.
        mapping: "softmax" (cross-entropy), "sparsemax" or "entmax" (Fenchel–Young losses).
        parameter: 1.5 or None for entmax.
        weight: one weight a class (K,).
        sample_weight: one weight a row (N,).
        out: where to write the gradient, like the scores; it may be the scores themselves.

    Raises:
        TypeError, ValueError: what was asked for has no kernel.
    """
    check(mapping, parameter, "loss", scores)
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
    options = {
        "IS_SOFT": is_soft,
        "HAS_WEIGHT": weight is not None,
        "HAS_SAMPLE_WEIGHT": sample_weight is not None,
        "HAS_SMOOTHING": label_smoothing != 0.0,
        "HAS_Z_LOSS": z_loss != 0.0,
        "HAS_SOFTCAP": softcap is not None,
        "HAS_TEMPERATURE": temperature != 1.0,
        "HAS_GRADIENT": with_gradient,
    }
    is_softmax = mapping == "softmax"
    if not is_softmax:
        options["IS_SQUARE"] = mapping == "entmax"
    rule = "number" if not with_gradient else "gradient" if scores.dtype == torch.float32 else "gradient, half"
    if not is_softmax or is_soft or label_smoothing != 0.0 or softcap is not None:
        rule = "heavy"
    run(
        cross_entropy if is_softmax else fenchel_young,
        rule,
        rows,
        classes,
        scores,
        targets if is_soft else targets.contiguous(),
        _of_length("weight", weight, classes),
        _of_length("sample_weight", sample_weight, rows),
        losses,
        gradient,
        rows,
        classes,
        scores.stride(0),
        targets.stride(0),
        0 if gradient is None else gradient.stride(0),
        ignore_index,
        1.0 - label_smoothing,
        label_smoothing / classes,
        z_loss,
        1.0 if softcap is None else softcap,
        temperature,
        **options,
    )
    return losses, gradient


def _of_length(name: str, weights: torch.Tensor | None, length: int) -> torch.Tensor | None:
    """One number each, side by side in float32."""
    if weights is None:
        return None
    if tuple(weights.shape) != (length,):
        raise ValueError(f"{name} has the shape {tuple(weights.shape)}; it must be ({length},).")
    return weights.to(torch.float32).contiguous()
