"""Laws that deal rows into folds: classes evenly, groups whole, or blocks in the order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: Positions of rows to fit on, and of rows to judge the fit on.
Pair = tuple[np.ndarray, np.ndarray]
#: The fold of a row that is fitted in every fold and never judged.
ALWAYS_FITTED = -1


def class_folds(labels: np.ndarray, n_folds: int, generator: np.random.Generator) -> np.ndarray:
    """The fold of each row, 0 to n_folds − 1: the rows of each class are shuffled and dealt in turn.

    Fold sizes differ by at most one row, and so do the rows of a class. The only row of a class is always fitted.
    """
    shuffled = generator.permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % n_folds
    folds[np.bincount(labels)[labels] == 1] = ALWAYS_FITTED
    return folds


def group_folds(labels: np.ndarray, groups: np.ndarray, n_folds: int, generator: np.random.Generator) -> np.ndarray:
    """The fold of each row; the rows of one group share it, and the classes are spread as evenly as groups allow.

    Groups are dealt from the largest to the smallest. With s_k the share of all rows of class k that a group holds, and f_jk
    what fold j holds already, the group goes to the fold with the least Σ_k s_k f_jk, which increases Σ_jk f_jk² least. Ties go
    to the fold with the fewest rows, then to chance.
    """
    _, members = np.unique(groups, return_inverse=True)
    counts = np.bincount(labels)
    # One (group, class) pair per entry: a matrix of all groups × all classes may not fit into memory.
    pairs, rows = np.unique(members * len(counts) + labels, return_counts=True)
    of_group, classes = np.divmod(pairs, len(counts))
    shares = rows / counts[classes]
    starts = np.searchsorted(of_group, np.arange(of_group[-1] + 2))
    sizes = np.bincount(members)
    shuffled = generator.permutation(len(sizes))
    held, filled = np.zeros((n_folds, len(counts))), np.zeros(n_folds)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        inside = slice(starts[group], starts[group + 1])
        overlap = held[:, classes[inside]] @ shares[inside]
        fold = np.lexsort((filled, overlap))[0]
        held[fold, classes[inside]] += shares[inside]
        filled[fold] += sizes[group]
        fold_of_group[group] = fold
    return fold_of_group[members]


def time_blocks(time: np.ndarray, n_blocks: int) -> np.ndarray:
    """The block of each row, 0 to n_blocks − 1, in the order of time: equally many rows as far as ties allow, which share a block.

    >>> time_blocks(np.array([5.0, 1.0, 2.0, 2.0, 9.0, 7.0]), 3).tolist()
    [1, 0, 1, 1, 2, 2]
    """
    starts = np.sort(time)[(np.arange(1, n_blocks) * len(time)) // n_blocks]
    return np.searchsorted(np.unique(starts), time, side="right")


def pairs_apart(folds: np.ndarray) -> Iterator[Pair]:
    """Every fold judged, the others fitted."""
    for fold in np.unique(folds[folds != ALWAYS_FITTED]):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def pairs_in_time(blocks: np.ndarray) -> Iterator[Pair]:
    """Every block after the first judged, all earlier ones fitted."""
    for block in np.unique(blocks)[1:]:
        yield np.flatnonzero(blocks < block), np.flatnonzero(blocks == block)
