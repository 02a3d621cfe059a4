"""Padded classes of a whole weight: rows beyond `n_classes` do not exist."""

from __future__ import annotations

from typing import Any

from lastlayer.arguments import as_integer


def classes_that_exist(n_classes: int, weight: Any, bias: Any, targets: Any, options: Any) -> tuple[Any, Any, Any, Any]:
    """Weight, bias, targets and options without the classes from `n_classes` on.

    Raises:
        TypeError: no integer.
        ValueError: fewer than one class, or more than there are rows.
    """
    total = weight.shape[0]
    if not 1 <= as_integer("n_classes", n_classes, "the number of classes that exist") <= total:
        raise ValueError(f"n_classes is {n_classes}; weight has {total} rows: give 1..{total}.")
    class_weight = options.get("class_weight")
    if class_weight is not None:
        options = {**options, "class_weight": class_weight[:n_classes]}
    is_soft = targets.is_floating_point() and targets.shape[-1:] == (total,)
    return (
        weight[:n_classes],
        None if bias is None else bias[:n_classes],
        targets[..., :n_classes] if is_soft else targets,
        options,
    )
