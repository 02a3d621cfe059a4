"""A head's labels: int64 whatever they came in, checked where their values may be looked at."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.functions.scores import is_eager
from lastlayer.losses import check_labels
from lastlayer.torch.implementation import FRAMEWORK

Tensor = torch.Tensor


def prepare_labels(labels: Any, shape: torch.Size, classes: int, ignore_index: int, what: str = "labels") -> Tensor:
    """Labels (N,) as int64 from labels of the rows' shape.

    Raises:
        TypeError: no tensor of integers.
        ValueError: another shape.
        IndexError: a label out of range.
    """
    dtype = getattr(labels, "dtype", None)
    if not isinstance(labels, torch.Tensor):
        raise TypeError(f"{what} are {type(labels).__name__}; give a torch tensor of integers 0..{classes - 1}.")
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        raise TypeError(f"{what} are {dtype}; give integers 0..{classes - 1}, for example {what}.long().")
    if labels.shape != shape:
        raise ValueError(f"{what} have shape {tuple(labels.shape)}; give one per row of input, {tuple(shape)}.")
    flat = int64_labels(labels.reshape(-1), ignore_index)
    if is_eager(flat):
        check_labels(flat, classes, ignore_index, FRAMEWORK.namespace)
    return flat


def int64_labels(labels: Tensor, ignore_index: int) -> Tensor:
    """Labels with their values as int64, in which alone `ignore_index` and the number of classes are compared with them.

    Comparisons in the labels' dtype would wrap these numbers around: −100 is 156 in uint8.
    """
    if labels.dtype == torch.int64:
        return labels
    whole = labels.long()
    if labels.dtype != torch.uint64:
        return whole
    # Values from 2⁶³ on come out negative and may meet `ignore_index`: they are out of range, as the largest int64 is.
    beyond = torch.iinfo(torch.int64).max
    return torch.where(whole < 0, beyond if ignore_index != beyond else beyond - 1, whole)
