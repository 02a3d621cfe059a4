"""How well probabilities rank the rows of each class: ROC AUC and average precision, and accuracy class by class."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def ranking(p: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """ROC AUC and average precision of probabilities (n, K), without NaN.

    Two classes: of the second one. More: the mean over the classes, each against the rest. A class without a test row, or with
    all of them, has none of the two and is left out; NaN where that leaves nothing.
    """
    classes = [1] if p.shape[-1] == 2 else range(p.shape[-1])
    counts = np.bincount(labels, minlength=p.shape[-1])
    judged = [k for k in classes if 0 < counts[k] < len(labels)]
    if not judged:
        return {"roc_auc": float("nan"), "average_precision": float("nan")}
    return {
        "roc_auc": float(np.mean([roc_auc_score(labels == k, p[:, k]) for k in judged])),
        "average_precision": float(np.mean([average_precision_score(labels == k, p[:, k]) for k in judged])),
    }


def balanced_accuracy(is_correct: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the classes that have a row of the share of their rows that are right."""
    counts = np.bincount(labels)
    right = np.bincount(labels, weights=is_correct)
    return float(np.mean(right[counts > 0] / counts[counts > 0]))
