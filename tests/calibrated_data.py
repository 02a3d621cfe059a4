"""Scores of a model whose softmax is exactly calibrated, times a factor: labels are drawn from their probabilities."""

from __future__ import annotations

import numpy as np


def planted(
    rows: int, classes: int, *, factor: float = 1.0, spread: float = 2.0, seed: int = 0, dtype: type = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """(scores (rows, classes), labels (rows,)): softmax(scores / factor) are the probabilities that the labels have.

    Adding a Gumbel variable to each score and taking the largest draws from softmax.
    """
    random = np.random.default_rng([seed, rows, classes])
    scores = random.normal(size=(rows, classes)) * spread
    labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    return (scores * factor).astype(dtype), labels
