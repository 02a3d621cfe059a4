"""Folds for cross-fitting: random rows, or whole groups. They must not depend on the labels."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.error import EvaluationError


def draw_folds(rows: int, groups: np.ndarray | None, folds: int, seed: int, *, has_others: bool = False) -> np.ndarray:
    """The fold of each row, (n,), from 0 to folds − 1.

    Without groups the rows are dealt out at random, and not class by class: with equal shares of each class in every fold, the rows
    outside a fold would tell the class frequencies inside it, and a bias per class that fits them would look useful where it is
    not. With groups, the largest first, each goes to the smallest fold so far. Where the maps are fitted to other rows, the folds
    serve the choice of a map alone, and there may be fewer of them.

    Raises:
        EvaluationError: there are fewer rows or groups than folds.
    """
    n = rows if groups is None else len(np.unique(groups))
    if has_others:
        folds = min(folds, n)
    if n < folds:
        what = "rows" if groups is None else "groups"
        raise EvaluationError(f"There are {n} {what} for {folds} folds; ask for fewer folds, or give more {what}.")
    random = np.random.default_rng(seed)
    if groups is None:
        return random.permutation(rows) % folds
    codes, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of, filled = np.empty(len(codes), dtype=np.int64), np.zeros(folds, dtype=np.int64)
    for group in np.lexsort((random.random(len(codes)), -sizes)):
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[place]
