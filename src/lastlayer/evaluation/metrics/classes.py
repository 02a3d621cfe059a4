"""Recall, precision and calibration of each class, and which classes are confused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lastlayer.evaluation.metrics.rows import NO_CLASS

#: Pairs of classes that are listed.
N_CONFUSIONS = 20


def class_table(
    labels: np.ndarray, predicted: np.ndarray, mean_probability: np.ndarray, errors: np.ndarray
) -> tuple[Mapping[str, Any], ...]:
    """One entry per class: class, rows, predicted, recall, precision, mean_probability, ece (its calibration error, not below 0).

    Recall is NaN for a class without rows, precision for one that is never predicted.
    """
    n_classes = len(errors)
    rows = np.bincount(labels, minlength=n_classes)
    answers = np.bincount(predicted[predicted != NO_CLASS], minlength=n_classes)
    right = np.bincount(labels[predicted == labels], minlength=n_classes)
    with np.errstate(invalid="ignore"):
        recall, precision = right / rows, right / answers
    return tuple(
        {
            "class": k,
            "rows": int(rows[k]),
            "predicted": int(answers[k]),
            "recall": float(recall[k]),
            "precision": float(precision[k]),
            "mean_probability": float(mean_probability[k]),
            "ece": float(np.maximum(errors[k], 0.0)),
        }
        for k in range(n_classes)
    )


def most_confused(
    labels: np.ndarray, predicted: np.ndarray, n_classes: int, most: int = N_CONFUSIONS
) -> tuple[Mapping[str, Any], ...]:
    """The most frequent confusions, by count: actual, predicted (classes), count, share of the actual class's rows."""
    is_wrong = (predicted != labels) & (predicted != NO_CLASS)
    pairs, counts = np.unique(labels[is_wrong] * n_classes + predicted[is_wrong], return_counts=True)
    # The pairs ascend, and a stable sort leaves those of equal counts in this order.
    first = np.argsort(-counts, kind="stable")[:most]
    rows = np.bincount(labels, minlength=n_classes)
    return tuple(
        {
            "actual": int(pair // n_classes),
            "predicted": int(pair % n_classes),
            "count": int(count),
            "share": float(count / rows[pair // n_classes]),
        }
        for pair, count in zip(pairs[first], counts[first], strict=True)
    )
