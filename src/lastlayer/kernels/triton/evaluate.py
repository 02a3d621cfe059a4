"""Host function: probabilities, their logarithms, or the log-partition of every row of a raw tensor."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.kernels.triton.launch import run
from lastlayer.kernels.triton.serves import check, check_rows
from lastlayer.kernels.triton.softmax.forward import softmax_forward
from lastlayer.kernels.triton.sparse.forward import tsallis_forward


def evaluate(
    scores: torch.Tensor,
    quantity: str,
    mapping: str,
    parameter: float | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Probabilities, their logarithms (N, K), or the log-partition (N,), of scores (N, K) with contiguous classes.

    Nothing waits for the device. Edges are those of the mapping's record: NaN or nothing above −∞ in a row → NaN in that
    row alone; +∞ → shared equally by the classes that have it.

    Args:
        scores: float32, float16 or bfloat16; rows may have any stride.
        quantity: "probabilities", "log_probabilities" or "log_partition".
        mapping: "softmax", "sparsemax" or "entmax".
        parameter: 1.5 or None for entmax.
        out: where to write, of the result's shape and the scores' dtype; it may be the scores themselves.

    Raises:
        TypeError, ValueError: what was asked for has no kernel.
    """
    check(mapping, parameter, quantity, scores)
    rows, classes = scores.shape
    if quantity == "log_partition":
        result = torch.empty(rows, dtype=scores.dtype, device=scores.device) if out is None else out
        if tuple(result.shape) != (rows,):
            raise ValueError(f"out has the shape {tuple(result.shape)}; it must be ({rows},).")
    else:
        result = torch.empty(rows, classes, dtype=scores.dtype, device=scores.device) if out is None else out
        check_rows("out", result, (rows, classes))
    if rows == 0:
        return result
    values: dict[str, Any] = {"QUANTITY": quantity}
    if mapping == "softmax":
        kernel: Any = softmax_forward
        rule = {"probabilities": "probabilities", "log_probabilities": "logarithms"}.get(quantity, "number")
        if rule != "number" and scores.dtype != torch.float32:
            rule += ", half"
    else:
        kernel, values["IS_ENTMAX"] = tsallis_forward, mapping == "entmax"
        rule = "heavy" if quantity == "log_probabilities" else "sparse"
    run(kernel, rule, rows, classes, scores, result, rows, classes, scores.stride(0), result.stride(0), **values)
    return result
