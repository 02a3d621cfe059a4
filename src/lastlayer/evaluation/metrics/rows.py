"""What one walk over the probabilities gives for each row: losses, prediction, confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration.score_rows import for_each_block
from lastlayer.evaluation.predictions import Predictions

#: A row without probabilities predicts no class.
NO_CLASS = -1
TOP = 5


@dataclass(frozen=True)
class Rows:
    """One number per row, (n,) each.

    A row without probabilities (NaN: outside the mapping's domain) is wrong, predicts `NO_CLASS`, and has an infinite loss,
    the Brier score 2 and the confidence NaN.

    Attributes:
        losses: −log p of the label.
        brier: Σ_k (p_k − y_k)², from 0 to 2.
        predicted: the class with the largest probability, the first of equal ones.
        confidence: the largest probability.
        is_correct: whether the predicted class is the label.
        is_in_top: whether the label has one of the `TOP` largest probabilities.
    """

    losses: np.ndarray
    brier: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    is_correct: np.ndarray
    is_in_top: np.ndarray


def measure_rows(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(losses, brier, confidence, is_correct), (n,) each, in one walk; see `Rows`."""
    rows, _ = walk_rows(predictions)
    return rows.losses, rows.brier, rows.confidence, rows.is_correct


def walk_rows(predictions: Predictions, sampled: np.ndarray | None = None) -> tuple[Rows, np.ndarray]:
    """Every row's numbers, and the probabilities (s, K) of the sampled rows, given by their ascending indices (s,)."""
    sampled = np.zeros(0, dtype=np.int64) if sampled is None else sampled

    def work(place: slice) -> tuple[Rows, np.ndarray]:
        p, losses = predictions.block(place)
        first, last = np.searchsorted(sampled, [place.start, place.stop])
        return rows_of(p, losses, predictions.labels[place]), p[sampled[first:last] - place.start]

    found = for_each_block(predictions.n, predictions.n_classes, work)
    names = Rows.__dataclass_fields__
    rows = Rows(**{name: np.concatenate([getattr(part, name) for part, _ in found]) for name in names})
    return rows, np.concatenate([p for _, p in found])


def rows_of(p: np.ndarray, losses: np.ndarray, labels: np.ndarray) -> Rows:
    """The numbers of a block of probabilities (m, K) with the losses of its labels (m,)."""
    of_label = p[np.arange(len(p)), labels]
    confidence = p.max(axis=1).astype(np.float64)
    is_valid = ~np.isnan(confidence)
    predicted = np.where(is_valid, p.argmax(axis=1), NO_CLASS)
    squares = np.einsum("ij,ij->i", p, p, dtype=np.float64)
    # Squares of float32 are exact in float64, so that nothing is lost where p of the label is near 1.
    brier = np.maximum(squares - 2 * of_label.astype(np.float64) + 1, 0.0)
    return Rows(
        losses=np.where(is_valid, losses, np.inf),
        brier=np.where(is_valid, brier, 2.0),
        predicted=predicted,
        # A rounded sum may exceed 1 by a hair.
        confidence=np.minimum(confidence, 1.0),
        is_correct=predicted == labels,
        is_in_top=is_in_top(p, of_label, labels),
    )


def is_in_top(p: np.ndarray, of_label: np.ndarray, labels: np.ndarray, top: int = TOP) -> np.ndarray:
    """Whether the label (m,) has one of the `top` largest probabilities; of equal ones, the first classes come first.

    A label with probability 0 is not among them, however few classes have more.
    """
    level = of_label[:, np.newaxis]
    larger, as_large = (p > level).sum(axis=1), (p >= level).sum(axis=1)
    is_in = (larger < top) & (of_label > 0)
    for row in np.flatnonzero(is_in & (as_large > top)):
        is_in[row] = larger[row] + np.count_nonzero(p[row, : labels[row]] == of_label[row]) < top
    return is_in
