"""The strength C of the penalty, chosen by inner cross-validation with the one-standard-error rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.folds import Pair
from lastlayer.study.fit.inner_fold import InnerFold

#: The first fold is searched in steps of this many values of the grid.
STRIDE = 2
#: Steps without gain after which this search ends: where less than `MANY` rows are judged, the curve has bumps.
PATIENCE, PATIENCE_OF_MANY, MANY = 2, 1, 300
#: It may end only once it has a loss below this share of what the class frequencies lose.
GAIN = 0.98
#: A stronger penalty may give up at most this share of the gain over the class frequencies. On tables of 30 rows the standard
#: error exceeds the whole gain, and the bare rule would choose the class frequencies.
GIVEN_UP = 0.05


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
    """The smallest C whose loss on the judged rows is within one standard error of the least (`strongest_within_error`).

    The first fold finds roughly where the best C is. All folds then judge the values around it, and further ones as long as
    the best or the chosen one is the last that was judged.

    Args:
        features: encoded training rows (n, d).
        labels: their classes (n,), 0 to K − 1.
        inner: positions to fit and to judge on (`inner_folds`).
        grid: increasing values of C.
    """
    folds = [InnerFold(mapping, features, labels, pair, seed) for pair in inner]
    rows = np.concatenate([judged for _, judged in inner])
    centre = coarse_best(folds[0], grid)
    low, high = max(centre - STRIDE, 0), min(centre + 1, len(grid) - 1)
    # The first fold has been here, and begins where it was. No fold begins at another one's fit, which knows the rows that are
    # judged, nor at a fit with a larger C: a search stops early, so it would keep some of what that has learnt.
    paths = [fold.along(grid[low:], fold.points.get(grid[low])) for fold in folds]
    curve = [_mean_by_row(rows, [next(path) for path in paths]) for _ in range(low, high + 1)]
    while True:
        best = int(np.argmin([losses.mean() for losses in curve])) + low
        chosen = strongest_within_error(np.stack(curve)) + low
        if best == high < len(grid) - 1:
            high += 1
            curve.append(_mean_by_row(rows, [next(path) for path in paths]))
        elif chosen < low + STRIDE and low > 0:
            low -= 1
            below = [next(fold.along(grid[low : low + 1])) for fold in folds]
            curve.insert(0, _mean_by_row(rows, below))
        else:
            return Strength(grid[chosen], is_at_edge=chosen in (0, len(grid) - 1))


def coarse_best(fold: InnerFold, grid: Sequence[float]) -> int:
    """The position in the grid of the best C of one fold, in steps of `STRIDE`; the search starts at the smallest C."""
    curve: list[np.ndarray] = []
    patience = PATIENCE_OF_MANY if fold.n_judged >= MANY else PATIENCE
    for losses in fold.along(grid[::STRIDE]):
        curve.append(losses)
        means = [float(losses.mean()) for losses in curve]
        best = int(np.argmin(means))
        if means[best] < GAIN and len(means) - 1 - best >= patience:
            break
    return strongest_within_error(np.stack(curve)) * STRIDE


def strongest_within_error(losses: np.ndarray) -> int:
    """The first candidate whose mean loss exceeds the least by at most one standard error, and by at most 5 % of the gain.

    Losses (candidates, rows), from the strongest penalty on, with 1 for what the class frequencies lose. The standard error is
    that of the difference, paired row by row, so what makes a row hard under every candidate does not count.

    Source: Breiman, Friedman, Olshen & Stone 1984, Classification and regression trees, section 3.4.3, where the standard error
    is that of the least loss itself: larger, and too much on most tables.
    """
    means = losses.mean(axis=1)
    best = int(np.argmin(means))
    excess = losses[: best + 1] - losses[best]
    n_rows = excess.shape[1]
    errors = np.std(excess, axis=1, ddof=1) / np.sqrt(n_rows) if n_rows > 1 else np.zeros(best + 1)
    allowed = np.minimum(errors, GIVEN_UP * max(1.0 - float(means[best]), 0.0))
    return int(np.argmax(excess.mean(axis=1) <= allowed))


def _mean_by_row(rows: np.ndarray, losses: Sequence[np.ndarray]) -> np.ndarray:
    """The loss of each row that was judged; its mean where it was judged several times."""
    _, positions, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return np.bincount(positions, weights=np.concatenate(losses)) / counts
