"""What the frequencies of the classes alone give: the score of a model that has learned nothing else."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.metrics.rows import TOP


def frequency_scores(labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """log_loss, brier, accuracy and top5 of answering every row with the class frequencies f of these labels.

    log loss = −Σ f log f, Brier = 1 − Σ f², accuracy = max f, top 5 = the sum of the five largest f.

    >>> frequency_scores(np.array([0, 0, 0, 1]), 2)["brier"]
    0.375
    """
    f = np.bincount(labels, minlength=n_classes) / len(labels)
    seen = f[f > 0]
    return {
        "log_loss": float(-(seen * np.log(seen)).sum()) + 0.0,
        "brier": float(1 - (f**2).sum()),
        "accuracy": float(f.max()),
        "top5": float(np.sort(f)[-TOP:].sum()),
    }
