"""How well probabilities rank the rows of each class: ROC AUC and average precision, and accuracy class by class."""

from __future__ import annotations

import numpy as np


def ranking(p: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """ROC AUC and average precision of probabilities (n, K), without NaN.

    Two classes: of the second one. More: the mean over the classes, each against the rest. A class without a test row, or with
    all of them, has none of the two and is left out; NaN where that leaves nothing.
    """
    classes = [1] if p.shape[-1] == 2 else range(p.shape[-1])
    counts = np.bincount(labels, minlength=p.shape[-1])
    curves = [_areas(p[:, k], labels == k) for k in classes if 0 < counts[k] < len(labels)]
    roc_auc, average_precision = np.mean(curves, axis=0) if curves else (np.nan, np.nan)
    return {"roc_auc": float(roc_auc), "average_precision": float(average_precision)}


def _areas(p: np.ndarray, is_positive: np.ndarray) -> tuple[float, float]:
    """The areas below the ROC curve, by trapezoids, and below the precision–recall curve, by steps, as scikit-learn has them.

    One sort gives both, in a tenth of the time of scikit-learn's two functions, which every fit and class would pay.
    """
    order = np.argsort(-p, kind="stable")
    # Rows of one probability share a threshold.
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    true = np.cumsum(is_positive[order])[last].astype(np.float64)
    said = last + 1.0
    recall, fall_out = true / true[-1], (said - true) / (said[-1] - true[-1])
    gained = np.diff(recall, prepend=0.0)
    roc_auc = np.sum(np.diff(fall_out, prepend=0.0) * (recall - gained / 2))
    return float(roc_auc), float(np.sum(gained * true / said))


def balanced_accuracy(is_correct: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the classes that have a row of the share of their rows that are right."""
    counts = np.bincount(labels)
    right = np.bincount(labels, weights=is_correct)
    return float(np.mean(right[counts > 0] / counts[counts > 0]))
