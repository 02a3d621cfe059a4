"""Padded classes of a whole weight: rows beyond `n_classes` do not exist."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.arguments import as_integer


def classes_that_exist(
    n_classes: int, weight: Any, bias: Any, targets: Any, options: Any, class_prior: Any = None
) -> tuple[Any, Any, Any, Any, Any]:
    """Weight, bias, targets, options and class prior without the classes from `n_classes` on.

    What is no tensor, or has another shape than it needs, is left as it is: the head refuses it by name.

    Raises:
        TypeError: no integer.
        ValueError: fewer than one class, or more than there are rows.
    """
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2:
        return weight, bias, targets, options, class_prior
    total = weight.shape[0]
    if not 1 <= as_integer("n_classes", n_classes, "the number of classes that exist") <= total:
        raise ValueError(f"n_classes is {n_classes}; weight has {total} rows: give 1..{total}.")

    def cut(values: Any) -> Any:
        """One number per class, or per row of the weight."""
        is_padded = isinstance(values, torch.Tensor) and values.shape == (total,)
        return values[:n_classes] if is_padded else values

    if "class_weight" in options:
        options = {**options, "class_weight": cut(options["class_weight"])}
    if isinstance(targets, torch.Tensor) and targets.is_floating_point() and targets.shape[-1:] == (total,):
        targets = targets[..., :n_classes]
    return weight[:n_classes], cut(bias), targets, options, cut(class_prior)
