"""Labels drawn from a model's probabilities, and how often each class and bin was drawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np


def draw_entries(p: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """For each row of probabilities (m, K) `draws` labels, as places in the flat p, (m, draws).

    Inverse distribution functions: one binary search in the running sum over all rows finds the class of a row's uniform number.
    A class with p = 0 is never drawn.
    """
    running = np.cumsum(p, dtype=np.float64)
    ends = running[p.shape[1] - 1 :: p.shape[1]]
    starts = np.append(0.0, ends[:-1])
    numbers = generator.random((len(p), draws))
    numbers *= (ends - starts)[:, np.newaxis]
    numbers += starts[:, np.newaxis]
    # Rounding must not carry a number into the next row.
    np.minimum(numbers, np.nextafter(ends, 0.0)[:, np.newaxis], out=numbers)
    return np.searchsorted(running, numbers.ravel(), side="right").reshape(numbers.shape)


class DrawnHits:
    """How often each key is drawn, in each of many draws of n rows.

    Counts of every key where keys are fewer than rows; otherwise the keys themselves, so that many classes cost no memory.
    Integers do not depend on the order in which threads add them.
    """

    def __init__(self, draws: int, n: int, n_keys: int) -> None:
        """Nothing drawn yet."""
        self.draws = draws
        self.is_counted = n_keys <= n
        self._found = np.zeros((draws, n_keys), np.int32) if self.is_counted else np.full((draws, n), -1, np.int32)
        self._lock = threading.Lock()

    def add(self, keys: np.ndarray, start: int) -> None:
        """The keys (m, draws) of the rows from `start` on."""
        if not self.is_counted:
            self._found[:, start : start + len(keys)] = keys.T
            return
        places = keys + np.arange(self.draws) * self._found.shape[1]
        with self._lock:
            np.add.at(self._found.reshape(-1), places.ravel(), np.int32(1))

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each draw the keys that were drawn, and how often."""
        for found in self._found:
            if self.is_counted:
                keys = np.flatnonzero(found)
                yield keys, found[keys]
            else:
                yield np.unique(found[found >= 0], return_counts=True)
