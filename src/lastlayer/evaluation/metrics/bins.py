"""Bins of probabilities with equally many rows; a value that many rows share has a bin of its own.

A study's bins (`lastlayer.study.fit.bins`) mix it with its neighbours: they compare models that have few ties.
"""

from __future__ import annotations

import numpy as np

#: Bins of every calibration error.
N_BINS = 15


def bin_edges(values: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Edges of bins with equal mass, ascending and in the type of the sorted values (n,).

    Bin b holds the values from edge b − 1 on and below edge b. A value that holds at least n / n_bins rows has a bin of its own:
    mixed with its neighbours, an error at p = 1 could cancel theirs. Ties are never split, so there can be fewer bins than
    n_bins, or more: one more at most for each value with its own bin.

    >>> bin_edges(np.array([0.1, 0.2, 0.3, 0.4]), n_bins=2)
    array([0.3])
    """
    n = len(values)
    if n == 0:
        return values
    starts = values[(np.arange(1, n_bins) * n) // n_bins]
    ends = np.unique(np.append(starts, values[0]))
    shares = np.searchsorted(values, ends, side="right") - np.searchsorted(values, ends, side="left")
    tied = ends[shares * n_bins >= n]
    # Whatever is larger than a tied value, be it by the last digit, is in the next bin.
    edges = np.unique(np.concatenate([starts, tied, np.nextafter(tied, values.dtype.type(np.inf))]))
    edges = edges[(edges > values[0]) & (edges <= values[-1])]
    # Two edges with no value between them would leave a bin empty.
    _, first = np.unique(np.searchsorted(values, edges), return_index=True)
    return edges[first]
