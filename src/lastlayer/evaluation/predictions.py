"""The probabilities that are judged, block by block: those of the scores as they are, or cross-fitted ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lastlayer.calibration import Calibrator, ScoreRows
from lastlayer.calibration.label_losses import losses_of_labels
from lastlayer.functions import probabilities, resolve_mapping


class Predictions(Protocol):
    """Probabilities (n, K) of rows with labels (n,)."""

    @property
    def n(self) -> int:
        """Rows."""

    @property
    def n_classes(self) -> int:
        """K."""

    @property
    def labels(self) -> np.ndarray:
        """(n,) integers from 0 to K − 1."""

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """(p (m, K), −log p of the label (m,) in float64) of these rows; the losses are exact where p underflows."""


@dataclass(frozen=True)
class _LabelledScores:
    """Scores of rows and their labels (n,)."""

    scores: ScoreRows
    labels: np.ndarray

    @property
    def n(self) -> int:
        """Rows."""
        return self.scores.n

    @property
    def n_classes(self) -> int:
        """K."""
        return self.scores.n_classes


@dataclass(frozen=True)
class MappedScores(_LabelledScores):
    """The mapping's probabilities of scores: the model as it is, or under one calibrator for all rows."""

    mapping: str = "softmax"
    calibrator: Calibrator | None = None

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, and losses of the labels."""
        scores = self.scores[rows]
        mapping = self.mapping
        if self.calibrator is not None:
            scores, mapping = self.calibrator.transform(scores), self.calibrator.mapping
        return mapped(scores, self.labels[rows], mapping)


@dataclass(frozen=True)
class CrossFitted(_LabelledScores):
    """The probabilities of each row under the calibrator of its fold, which was fitted without the fold."""

    calibrators: Sequence[Calibrator]
    #: (n,) the fold of each row.
    folds: np.ndarray

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, and losses of the labels."""
        scores, labels, folds = self.scores[rows], self.labels[rows], self.folds[rows]
        p, losses = np.empty_like(scores), np.empty(len(labels))
        for fold in np.unique(folds):
            mine, calibrator = folds == fold, self.calibrators[fold]
            p[mine], losses[mine] = mapped(calibrator.transform(scores[mine]), labels[mine], calibrator.mapping)
        return p, losses


def mapped(scores: np.ndarray, labels: np.ndarray, mapping: str) -> tuple[np.ndarray, np.ndarray]:
    """(p, −log p of the label) of scores (m, K); NaN and +inf in rows outside the mapping's domain."""
    record = resolve_mapping(mapping)
    p = probabilities(scores, mapping=record, on_domain="nan")
    return p, losses_of_labels(record, scores, labels, p)
