"""A head's labels as int64, checked if their values may be read now."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.functions.scores import is_eager
from lastlayer.losses import check_labels, plain_labels

Tensor = torch.Tensor


def prepare_labels(labels: Any, shape: torch.Size, classes: int, ignore_index: int) -> Tensor:
    """Labels (N,) as int64 from labels of the rows' shape.

    Raises:
        TypeError: no tensor of integers.
        ValueError: another shape.
        IndexError: a label out of range.
    """
    if not isinstance(labels, torch.Tensor):
        raise TypeError(f"labels are {type(labels).__name__}; give a torch tensor of integers 0..{classes - 1}.")
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        raise TypeError(f"labels are {labels.dtype}; give integers 0..{classes - 1}, for example labels.long().")
    if labels.shape != shape:
        raise ValueError(f"labels have shape {tuple(labels.shape)}; give one per row of input, {tuple(shape)}.")
    flat = plain_labels(labels.reshape(-1), ignore_index, xp)
    if is_eager(flat):
        check_labels(labels.reshape(-1), classes, ignore_index, xp)
    return flat
