"""How well one column predicts the target by itself, each row from the others (leave-one-out)."""

from __future__ import annotations

import numpy as np

from lastlayer.study.suspicions.columns import Column

#: A class needs this many rows to count in the mean recall.
_ROWS = 5


def predict_alone(column: Column, labels: np.ndarray) -> np.ndarray:
    """(n,) the class that the other rows of the same value have most often; without such rows, that of the nearest value.

    A missing value is a value. It is the one-dimensional nearest-neighbour rule, so that thresholds and codes are found
    alike, and a value that was never seen twice can still place a row between its neighbours.
    """
    n_classes = int(labels.max(initial=0)) + 1
    codes = column.codes + 1
    pairs, counts = np.unique(codes * n_classes + labels, return_counts=True)
    pair_code, pair_label = np.divmod(pairs, n_classes)
    # Within a code the most frequent label first.
    order = np.lexsort((-counts, pair_code))
    pair_code, pair_label, counts = pair_code[order], pair_label[order], counts[order]
    first = np.flatnonzero(np.append(True, pair_code[1:] != pair_code[:-1]))
    place = np.searchsorted(pair_code[first], codes)
    best, size = pair_label[first], np.bincount(place, minlength=len(first))
    is_alone = np.append(first[1:], len(pair_code)) - first == 1
    second = np.minimum(first + 1, len(pair_code) - 1)
    # Without the row itself the second label leads, or draws level and is taken: no class is predicted from its own row.
    loses = (labels == best[place]) & ~is_alone[place] & (counts[first][place] - 1 <= counts[second][place])
    predicted = np.where(loses, pair_label[second][place], best[place])
    single = size[place] == 1
    if single.any():
        predicted[single] = best[_nearest(column, codes, place)[single]]
    return predicted


def _nearest(column: Column, codes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n,) for each row the place of the neighbouring value that is nearest; of two equally near ones the smaller."""
    last = int(place.max(initial=0))
    value = np.zeros(last + 1)
    value[place] = np.where(codes > 0, np.nan_to_num(column.numbers), -np.inf)
    below, above = np.maximum(place - 1, 0), np.minimum(place + 1, last)
    with np.errstate(invalid="ignore", over="ignore"):
        is_above_nearer = (value[above] - value[place] < value[place] - value[below]) | (place == 0)
    return np.where(is_above_nearer & (above > place), above, below)


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows that are right."""
    return float(np.mean(predicted == labels))


def mean_recall(predicted: np.ndarray, labels: np.ndarray) -> float:
    """The mean over classes of the share of their rows that are right (balanced accuracy)."""
    counts = np.bincount(labels)
    right = np.bincount(labels, weights=predicted == labels, minlength=len(counts))
    counted = counts >= min(_ROWS, counts.max(initial=1))
    return float(np.mean(right[counted] / counts[counted]))
