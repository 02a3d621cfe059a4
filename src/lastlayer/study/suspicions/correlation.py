"""Rank correlation of two columns."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation where both have a value; 0 if it does not exist."""
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < 3:
        return 0.0
    ranks = rankdata(one[both]), rankdata(other[both])
    centred = [rank - rank.mean() for rank in ranks]
    scale = np.sqrt(np.sum(centred[0] ** 2) * np.sum(centred[1] ** 2))
    return float(np.sum(centred[0] * centred[1]) / scale) if scale > 0 else 0.0
