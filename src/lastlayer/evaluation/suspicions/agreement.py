"""How well predictions agree with labels, and whether another reading of the labels agrees far better."""

from __future__ import annotations

import numpy as np
from scipy import stats

#: How much the agreement beyond chance must rise: by the first number, or, for models that are seldom right, by the second and to
#: that many times what it was. It is 0 for guesses and 1 for a perfect model.
_GAIN, _LEAST_GAIN, _TIMES = 0.25, 0.1, 5
#: The level of the test that the gain is no chance.
_LEVEL = 1e-6


def chance(predicted: np.ndarray, labels: np.ndarray, n_classes: int) -> float:
    """Σ_k P(predicted = k) P(label = k): the accuracy of guesses that have these frequencies."""
    n = len(labels)
    return float(
        np.bincount(predicted, minlength=n_classes) @ np.bincount(labels, minlength=n_classes).astype(np.float64) / n**2
    )


def kappa(predicted: np.ndarray, labels: np.ndarray, n_classes: int) -> float:
    """The agreement beyond chance, (accuracy − chance) / (1 − chance): Cohen (1960), A coefficient of agreement."""
    expected = chance(predicted, labels, n_classes)
    accuracy = float(np.mean(predicted == labels))
    return (accuracy - expected) / (1 - expected) if expected < 1 else 0.0


def is_far_better(
    predicted: np.ndarray, labels: np.ndarray, others: np.ndarray, n_classes: int, groups: np.ndarray | None
) -> bool:
    """Whether predictions agree far better with other labels (n,) than with the labels (n,).

    Agreement beyond chance must rise by a quarter, or from hardly any to some: a model that answers one class for every row gains nothing from another
    reading. And the gain must be no chance: rows that are right under one reading alone are counted, once per group (McNemar 1947).
    """
    before = max(kappa(predicted, labels, n_classes), 0.0)
    if kappa(predicted, others, n_classes) < min(before + _GAIN, _TIMES * before + _LEAST_GAIN):
        return False
    gain = (predicted == others).astype(np.int64) - (predicted == labels)
    gain = gain if groups is None else np.sign(np.bincount(groups, weights=gain))
    for_other, against = int(np.count_nonzero(gain > 0)), int(np.count_nonzero(gain < 0))
    if for_other + against == 0:
        return False
    return bool(stats.binomtest(for_other, for_other + against, 0.5, alternative="greater").pvalue < _LEVEL)
