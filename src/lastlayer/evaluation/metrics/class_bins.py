"""Bins of the probability of each class, and sums per class and bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.evaluation.metrics.bins import N_BINS, bin_edges

#: The edges come from at most this number of rows, and from fewer, but at least `LEAST_ROWS`, if there are many classes.
SAMPLE_ROWS = 20_000
SAMPLE_ENTRIES = 8_000_000
LEAST_ROWS = 1000


def sampled_rows(n: int, n_classes: int, seed: int) -> np.ndarray:
    """Ascending indices of the rows that the edges come from: all n rows, or a random sample."""
    size = min(SAMPLE_ROWS, max(LEAST_ROWS, SAMPLE_ENTRIES // n_classes))
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 2]).choice(n, size, replace=False))


@dataclass(frozen=True)
class ClassBins:
    """The bins of every class, B for each; a class with fewer bins leaves some empty.

    Attributes:
        edges: (B − 1, K) ascending edges of each class, infinite where a class has fewer.
    """

    edges: np.ndarray

    @property
    def n_bins(self) -> int:
        """B."""
        return len(self.edges) + 1

    @property
    def size(self) -> int:
        """Bins of all classes, K · B."""
        return self.n_bins * self.edges.shape[1]

    def keys(self, p: np.ndarray) -> np.ndarray:
        """k · B + the bin of p_k, for every entry of probabilities (m, K)."""
        bins = np.zeros(p.shape, dtype=np.uint8)
        is_above = np.empty(p.shape, dtype=bool)
        # Counting the edges below an entry is faster than a binary search per class: it needs no branch.
        for edges in self.edges:
            np.greater_equal(p, edges, out=is_above)
            np.add(bins, is_above.view(np.uint8), out=bins)
        return bins + np.arange(p.shape[1]) * self.n_bins


def class_bins(sample: np.ndarray, n_bins: int = N_BINS) -> ClassBins:
    """Bins with equally many rows of a sample of probabilities (s, K), for each class."""
    sample = sample[~np.isnan(sample).any(axis=1)]
    edges = [bin_edges(np.sort(column), n_bins) for column in sample.T]
    padded = np.full((max(map(len, edges)), len(edges)), np.inf, dtype=sample.dtype)
    for k, of_class in enumerate(edges):
        padded[: len(of_class), k] = of_class
    return ClassBins(padded)


@dataclass(frozen=True)
class ClassSums:
    """Sums per class and bin, (K · B,) each.

    Attributes:
        hits: rows whose label is the class.
        expected: Σp.
        variance: Σp(1 − p).
    """

    hits: np.ndarray
    expected: np.ndarray
    variance: np.ndarray

    def __add__(self, other: ClassSums) -> ClassSums:
        """The sums of both parts."""
        return ClassSums(self.hits + other.hits, self.expected + other.expected, self.variance + other.variance)


def class_sums(keys: np.ndarray, p: np.ndarray, labels: np.ndarray, size: int) -> ClassSums:
    """The sums of a block of probabilities (m, K) with their keys (m, K) and the labels (m,)."""
    of_label = keys[np.arange(len(labels)), labels]
    flat, p = keys.ravel(), p.ravel().astype(np.float64)
    return ClassSums(
        hits=np.bincount(of_label, minlength=size),
        expected=np.bincount(flat, weights=p, minlength=size),
        # A rounded probability may exceed 1 by a hair.
        variance=np.bincount(flat, weights=np.maximum(p * (1 - p), 0.0), minlength=size),
    )
