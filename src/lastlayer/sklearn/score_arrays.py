"""What ScoreCalibrator is given: scores or probabilities, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.sklearn.problem import Floats


def codes(y: Any, classes: np.ndarray) -> np.ndarray:
    """The places of labels y (n,) in `classes` (K,), in whatever order these are.

    Raises:
        ValueError: a label is none of the classes.

    >>> codes(["b", "a"], np.array(["b", "c", "a"])).tolist()
    [0, 2]
    """
    y = np.asarray(y)
    order = np.argsort(classes)
    places = order[np.clip(np.searchsorted(classes, y, sorter=order), 0, len(order) - 1)]
    unknown = classes[places] != y
    if unknown.any():
        raise ValueError(
            f"y has the label {y[unknown][0].item()!r}, which is none of the classes {classes[:6].tolist()}; give labels that "
            "the classifier knows."
        )
    return places


def check_weights(y: Any, sample_weight: Floats) -> None:
    """Raise ValueError unless two classes have weight: nothing can be fitted to one."""
    if len(np.unique(np.asarray(y)[sample_weight > 0])) < 2:
        raise ValueError(
            "Rows of fewer than two classes have a sample_weight above 0; give weight to at least two classes."
        )


def group_codes(groups: Any, n: int) -> np.ndarray | None:
    """Groups (n,) of any kind as 0, 1, …

    Raises:
        ValueError: there is not one per row.
    """
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups has the shape {groups.shape} for {n} rows; give one group per row.")
    return np.asarray(np.unique(groups, return_inverse=True)[1])


def as_column(X: Any) -> Any:
    """Numbers (n,) as one column; anything else as it is."""
    X = np.asarray(X) if isinstance(X, list | tuple) else X
    return np.asarray(X).reshape(-1, 1) if getattr(X, "ndim", 2) == 1 else X


def is_like_probabilities(X: Floats) -> bool:
    """Whether all numbers are between 0 and 1, and rows of several columns sum to 1."""
    if not ((X >= 0) & (X <= 1)).all():
        return False
    return X.shape[1] == 1 or bool(np.allclose(X.sum(axis=1), 1, rtol=0, atol=1e-3))
