"""Right and wrong predictions by class, from the test rows of all folds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lastlayer.report.reading import Reading

#: The column of a row outside the domain.
OUTSIDE = -1


@dataclass(frozen=True)
class Confusion:
    """Counts of test rows: `matrix` (K, K) by class and predicted class, `outside` (K,) those without a prediction."""

    matrix: np.ndarray
    outside: np.ndarray

    @property
    def actual(self) -> np.ndarray:
        """Test rows of each class, those outside the domain among them."""
        totals: np.ndarray = self.matrix.sum(axis=1) + self.outside
        return totals

    def recall(self, k: int) -> float:
        """The share of the rows of class k that are predicted as k; NaN if there is none."""
        rows = self.actual[k]
        return float(self.matrix[k, k] / rows) if rows else math.nan

    def precision(self, k: int) -> float:
        """The share of the rows predicted as k that are of class k; NaN if none is predicted as k."""
        predicted = self.matrix[:, k].sum()
        return float(self.matrix[k, k] / predicted) if predicted else math.nan

    def most_confused(self, at_most: int) -> list[tuple[int, int, int]]:
        """(class, predicted class, rows) of the errors, the most frequent first."""
        errors = self.matrix.copy()
        np.fill_diagonal(errors, 0)
        order = np.argsort(-errors, axis=None, kind="stable")[:at_most]
        pairs = ((*map(int, np.unravel_index(place, errors.shape)), int(errors.flat[place])) for place in order)
        return [(actual, predicted, n) for actual, predicted, n in pairs if n]


def confusion_of(reading: Reading, label: str) -> Confusion | None:
    """The confusion of a mapping or baseline; None where the results have none."""
    frame = reading.results.confusion
    own = frame[frame["mapping"] == label]
    if own.empty:
        return None
    K = reading.results.n_classes
    matrix, outside = np.zeros((K, K), dtype=np.int64), np.zeros(K, dtype=np.int64)
    for actual, predicted, count in own[["actual", "predicted", "count"]].itertuples(index=False):
        if predicted == OUTSIDE:
            outside[actual] += count
        else:
            matrix[actual, predicted] += count
    return Confusion(matrix, outside)
