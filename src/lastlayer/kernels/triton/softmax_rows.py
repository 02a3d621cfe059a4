"""Host functions: sums of rows under softmax, and slopes in the place of the scores, as `backends.torch.softmax_rows` asks for them."""

from __future__ import annotations

import torch

from lastlayer.kernels.triton.launch import run
from lastlayer.kernels.triton.options import Activation
from lastlayer.kernels.triton.serves import check
from lastlayer.kernels.triton.softmax.row_slopes import row_slopes as slopes_kernel
from lastlayer.kernels.triton.softmax.row_sums import WRITTEN
from lastlayer.kernels.triton.softmax.row_sums import row_sums as sums_kernel

Tensor = torch.Tensor


def row_sums(
    scores: Tensor,
    places: Tensor,
    softcap: float | None = None,
    temperature: float = 1.0,
    class_weight: Tensor | None = None,
    wants_distances: bool = False,
) -> tuple[Tensor, Tensor]:
    """Six numbers per row (6, N) in float64, and the first class with the largest score (N,).

    With m = max x after softcap and temperature: m, Σ e^(x − m) without the largest term, Σ e^(x − m) (m − x), the label's score (0
    if its place is not among the classes), the largest raw score, and Σ w (m − x) if it is asked for.

    Raises:
        TypeError, ValueError: scores that have no kernel.
    """
    check("softmax", None, "log_partition", scores)
    rows, classes = scores.shape
    numbers = torch.empty(rows, WRITTEN.value, dtype=torch.float64, device=scores.device)
    argmax = torch.empty(rows, dtype=torch.int64, device=scores.device)
    if rows:
        run(
            sums_kernel,
            "heavy",
            rows,
            classes,
            scores,
            places.contiguous(),
            numbers,
            argmax,
            _weights(class_weight),
            rows,
            classes,
            scores.stride(0),
            _activation(softcap, temperature),
            HAS_DISTANCES=wants_distances,
        )
    largest, others, spread, at_label, raw_largest, distances, max_term = numbers.unbind(1)
    return torch.stack([largest, others / max_term, spread / max_term, at_label, raw_largest, distances]), argmax


def row_slopes(
    scores: Tensor,
    places: Tensor,
    numbers: Tensor,
    is_live: Tensor,
    softcap: float | None = None,
    temperature: float = 1.0,
    class_weight: Tensor | None = None,
    has_share: bool = True,
) -> None:
    """Replace scores by p (factor − slope · log p) − share · w times the derivative of softcap and temperature.

    The numbers (6, N) are those of p = e^(x − largest) / (1 + others): largest, others, factor, slope, the label's entry before its
    share, and the share. Rows that are not live get 0.

    Raises:
        TypeError, ValueError: scores that have no kernel.
    """
    check("softmax", None, "log_partition", scores)
    rows, classes = scores.shape
    if not rows:
        return
    largest, others, *rest = numbers.unbind(0)
    read = torch.stack([largest, 1.0 / (1.0 + others), torch.log1p(others), *rest], 1)
    run(
        slopes_kernel,
        "heavy",
        rows,
        classes,
        scores,
        places.contiguous(),
        read,
        is_live.to(torch.int8),
        _weights(class_weight),
        rows,
        classes,
        scores.stride(0),
        _activation(softcap, temperature),
        HAS_SHARE=has_share,
    )


def _activation(softcap: float | None, temperature: float) -> Activation:
    return Activation(softcap, temperature if temperature != 1.0 else None)


def _weights(class_weight: Tensor | None) -> Tensor | None:
    return None if class_weight is None else class_weight.to(torch.float32).contiguous()
