"""The strength C of the penalty, chosen by inner cross-validation with the one-standard-error rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.functions import probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.folds import Pair
from lastlayer.study.fit.metrics import brier_rows
from lastlayer.study.fit.model import linear_model, scores_of

#: Values of C in a row without gain after which the first fold's search ends.
PATIENCE = 2
#: It may end only once it has beaten the class frequencies, with a loss below this share of theirs.
GAIN = 0.98


@dataclass(frozen=True)
class Strength:
    """A value of C, and whether it is the least or the largest that could be chosen."""

    C: float
    is_at_edge: bool = False


def choose_strength(
    mapping: ProbabilityMapping,
    features: np.ndarray,
    labels: np.ndarray,
    inner: Sequence[Pair],
    grid: Sequence[float],
    seed: int,
) -> Strength:
    """The smallest C whose mean Brier score over the inner folds is within one standard error of the best.

    The first fold finds where the best C is, on a path of increasing C. The other folds judge the values around it, and
    further ones as long as the best or the chosen one is the last that was judged.

    Args:
        features: encoded training rows (n, d).
        labels: their classes (n,), 0 to K − 1.
        inner: positions to fit and to judge on (`inner_folds`).
        grid: increasing values of C.

    Source: Breiman, Friedman, Olshen & Stone 1984, Classification and regression trees, section 3.4.3.
    """
    folds = [_Fold(mapping, features, labels, pair, seed) for pair in inner]
    window = _window_on(folds[0], grid)
    while True:
        losses = np.stack([_mean_rows([fold.losses(grid[i]) for fold in folds], inner) for i in window])
        chosen = window[smallest_within_one_error(losses)]
        best = window[int(np.argmin(losses.mean(axis=1)))]
        if min(best, chosen) == window[0] > 0:
            window = [window[0] - 1, *window]
        elif best == window[-1] < len(grid) - 1:
            window = [*window, window[-1] + 1]
        else:
            return Strength(grid[chosen], is_at_edge=chosen in (0, len(grid) - 1))


def smallest_within_one_error(losses: np.ndarray) -> int:
    """The first of several candidates, whose mean loss exceeds the least by at most one standard error of the difference.

    Losses (candidates, rows), from the strongest penalty on. The difference is paired row by row.
    """
    best = int(np.argmin(losses.mean(axis=1)))
    excess = losses[: best + 1] - losses[best]
    errors = np.std(excess, axis=1, ddof=1) / np.sqrt(excess.shape[1]) if excess.shape[1] > 1 else np.zeros(best + 1)
    return int(np.argmax(excess.mean(axis=1) <= errors))


class _Fold:
    """One inner fold: fits at several C, each from where the last one ended, and the loss of each judged row."""

    def __init__(
        self, mapping: ProbabilityMapping, features: np.ndarray, labels: np.ndarray, pair: Pair, seed: int
    ) -> None:
        fitted, judged = pair
        self._mapping = mapping
        # A class without a fitted row has no scores; its rows are not judged (see inner_folds).
        classes, self._labels = np.unique(labels[fitted], return_inverse=True)
        self._features, self._judged = features[fitted], features[judged]
        self._truth = np.searchsorted(classes, labels[judged])
        self._model = linear_model(mapping, C=1.0, seed=seed, is_search=True)
        self._known: dict[float, np.ndarray] = {}

    def losses(self, C: float) -> np.ndarray:
        """The Brier score of each judged row."""
        if C not in self._known:
            self._model.set_params(C=C).fit(self._features, self._labels)
            p = probabilities(scores_of(self._model, self._judged), mapping=self._mapping, on_domain="nan")
            self._known[C] = brier_rows(p, self._truth)
        return self._known[C]

    def loss_of_frequencies(self) -> float:
        """The mean Brier score of answering every row with the class frequencies."""
        frequencies = np.bincount(self._labels) / len(self._labels)
        return float(np.mean(brier_rows(np.tile(frequencies, (len(self._truth), 1)), self._truth)))


def _window_on(fold: _Fold, grid: Sequence[float]) -> list[int]:
    """Indices of the best C of one fold and of its neighbours; the search starts at the smallest C."""
    enough = GAIN * fold.loss_of_frequencies()
    means: list[float] = []
    for C in grid:
        means.append(float(fold.losses(C).mean()))
        best = int(np.argmin(means))
        if means[best] < enough and len(means) - 1 - best >= PATIENCE:
            break
    return [i for i in range(best - 1, best + 2) if 0 <= i < len(grid)]


def _mean_rows(losses: Sequence[np.ndarray], inner: Sequence[Pair]) -> np.ndarray:
    """The loss of each row that was judged, its mean where it was judged several times."""
    rows = np.concatenate([judged for _, judged in inner])
    _, positions, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return np.bincount(positions, weights=np.concatenate(losses)) / counts
