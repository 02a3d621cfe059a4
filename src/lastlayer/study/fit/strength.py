"""The strength C of the penalty, chosen by Brier score on an inner split of the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.metrics import brier_rows, brier_score
from lastlayer.study.fit.model import linear_model, scores_of

#: Values of C in a row without gain after which the search ends, the ten-thousandfold of the best C with steps of ten.
PATIENCE = 4
#: The search may end only once it has beaten the class frequencies, with a score below this share of theirs.
GAIN = 0.98


@dataclass(frozen=True)
class Strength:
    """A value of C, and whether it is the least or the largest that could be chosen."""

    C: float
    is_at_edge: bool = False


def choose_strength(
    mapping: ProbabilityMapping,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    grid: tuple[float, ...],
    seed: int,
) -> Strength:
    """The C whose fit on the `train` rows has the least Brier score on the `test` rows, the smallest one of equals.

    Brier, since it is finite for every mapping. From the smallest C on, each fit starts where the last one ended.
    """
    model = linear_model(mapping, C=grid[0], seed=seed, is_search=True)
    enough = GAIN * _score_of_frequencies(train[1], test[1])
    scores: list[float] = []
    for C in grid:
        model.set_params(C=C).fit(*train)
        scores.append(brier_score(mapping, scores_of(model, test[0]), test[1]))
        best = int(np.argmin(scores))
        if scores[best] < enough and len(scores) - 1 - best >= PATIENCE:
            break
    return Strength(grid[best], is_at_edge=best in (0, len(grid) - 1))


def _score_of_frequencies(train: np.ndarray, test: np.ndarray) -> float:
    """The Brier score of answering every row with the class frequencies."""
    frequencies = np.bincount(train) / len(train)
    return float(np.mean(brier_rows(np.tile(frequencies, (len(test), 1)), test)))
