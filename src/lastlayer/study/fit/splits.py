"""The splits of a study: the same for every mapping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.data.target import is_missing_word
from lastlayer.study.error import StudyError
from lastlayer.study.settings import StudySettings


@dataclass(frozen=True)
class Split:
    """Row numbers to train and to test on; within `train`, positions to fit and to choose C on."""

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    inner_train: np.ndarray
    inner_test: np.ndarray


def make_splits(data: Dataset, settings: StudySettings) -> list[Split]:
    """Repeated stratified folds; the first repeats are the same whatever their number.

    Raises:
        StudyError: a class has fewer rows than there are folds.
    """
    check_class_sizes(data, settings)
    folds = RepeatedStratifiedKFold(n_splits=settings.folds, n_repeats=settings.repeats, random_state=settings.seed)
    splits = []
    for i, (train, test) in enumerate(folds.split(np.zeros(len(data.labels)), data.labels)):
        repeat, fold = divmod(i, settings.folds)
        inner = inner_split(data.labels[train], np.random.default_rng([settings.seed, repeat, fold]))
        splits.append(Split(repeat, fold, train, test, *inner))
    return splits


def inner_split(
    labels: np.ndarray, generator: np.random.Generator, share: float = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    """Positions to fit on and to choose C on: a quarter of each class, at least one row of it, but never its only one.

    scikit-learn's stratified splits refuse classes this small.
    """
    chosen = []
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        chosen.append(rows[: max(round(share * len(rows)), 1) if len(rows) > 1 else 0])
    test = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(labels)), test), test


def check_class_sizes(data: Dataset, settings: StudySettings) -> None:
    """Every class needs a row in every test fold, and choosing C two rows of some class in the training folds."""
    counts = np.asarray(data.class_counts)
    rarest = int(np.argmin(counts))
    name, count = data.class_names[rarest], int(counts[rarest])
    if count < settings.folds:
        rare = counts[counts < settings.folds]
        others = len(rare) - 1
        also = f" ({others} more {'classes have' if others > 1 else 'class has'} too few as well)" if others else ""
        fewer = f", use --folds {count}" if count > 2 else ""
        # Merging helps only where the rare classes together have the rows.
        merge = f", make one class of them with --merge-rare {settings.folds}" if rare.sum() >= settings.folds else ""
        unknown = ", or empty its cells if the word means that the label is not known" if is_missing_word(name) else ""
        raise StudyError(
            f"Class {name!r} of {data.name} has {count} row{'' if count == 1 else 's'}, but {settings.folds} folds need "
            f"{settings.folds} of each class{also}: leave out classes of fewer rows with --min-class {settings.folds}{merge}{fewer}, "
            f"or add rows{unknown}."
        )
    if settings.C is None and counts.max() - -(-counts.max() // settings.folds) < 2:
        raise StudyError(
            f"No class of {data.name} leaves two rows to train on, so there is none to choose C with; add rows or fix it with --C 1."
        )
