"""The splits of a study: the same for every mapping; outer folds to test on, inner folds to choose C on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.data.target import is_missing_word
from lastlayer.study.error import StudyError
from lastlayer.study.fit.folds import Pair, class_folds, group_folds, pairs_apart, pairs_in_time, time_blocks
from lastlayer.study.settings import StudySettings

#: Draws of grouped folds before a study gives up keeping every class among the training rows.
DRAWS = 100
#: Rows that the search for C uses at most. C does not grow with the number of rows, so a sample finds it.
SEARCH_ROWS = 20_000


@dataclass(frozen=True)
class Split:
    """Row numbers to train and to test on.

    Attributes:
        inner: positions within `train` to fit and to judge on, where C is chosen; empty where C is fixed.
    """

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    inner: tuple[Pair, ...] = ()


def make_splits(data: Dataset, settings: StudySettings) -> list[Split]:
    """Repeated stratified folds; with groups, folds of whole groups; with time, training rows earlier than test rows.

    The first repeats are the same whatever their number. With time there is one repeat, and fewer folds where the earliest
    training rows lack a class.

    Raises:
        StudyError: the rows of a class, the groups or the times do not allow it.
    """
    splits = []
    for repeat, fold, train, test in _outer(data, settings):
        inner: tuple[Pair, ...] = ()
        if settings.C is None:
            inner = inner_folds(
                data.labels[train],
                groups=None if data.groups is None else data.groups[train],
                time=None if data.time is None else data.time[train],
                seed=(settings.seed, repeat, fold),
            )
        splits.append(Split(repeat, fold, train, test, inner))
    return splits


def inner_folds(
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
    seed: int | Sequence[int] = 0,
) -> tuple[Pair, ...]:
    """Positions to fit and to judge on, by the law of the outer folds: groups apart, or earlier rows before later ones.

    One pair from a sample of `SEARCH_ROWS` of the rows where there are more; three folds from 1000 rows on, five below,
    drawn twice below 150. A pair needs two classes to fit; judged rows of a class that is not fitted are left out, and pairs
    without a judged row.

    Raises:
        StudyError: no such pair is left.
    """
    generator = np.random.default_rng(seed)
    sample = _sample(labels, generator)
    n_folds, repeats = _plan(len(labels))
    groups, time = (part[sample] if part is not None else None for part in (groups, time))
    pairs = [
        (sample[fitted], sample[judged])
        for _ in range(1 if time is not None else repeats)
        for fitted, judged in _pairs(labels[sample], groups, time, n_folds, generator)
    ]
    usable = [pair for pair in (_seen(labels, *pair) for pair in pairs) if pair is not None]
    if not usable and time is not None:
        # Too few different times to choose C on later rows: rows of one time have no order.
        return inner_folds(labels, seed=seed)
    if not usable:
        raise StudyError(
            "The training rows cannot be divided so that two classes are fitted and a row of one is judged, so there is "
            "nothing to choose C with; add rows or groups, or fix it with --C 1."
        )
    return tuple(usable[-1:] if len(labels) > SEARCH_ROWS else usable)


def _plan(rows: int) -> tuple[int, int]:
    """Folds and repeats."""
    if rows > SEARCH_ROWS:
        return 4, 1
    if rows >= 1000:
        return 3, 1
    return (5, 1) if rows >= 150 else (5, 2)


def _sample(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions of at most `SEARCH_ROWS` rows, in order, of each class its share but at least one."""
    if len(labels) <= SEARCH_ROWS:
        return np.arange(len(labels))
    shuffled = generator.permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = order[np.linspace(0, len(labels) - 1, SEARCH_ROWS).astype(np.int64)]
    _, first = np.unique(labels[order], return_index=True)
    return np.union1d(chosen, order[first])


def _pairs(
    labels: np.ndarray,
    groups: np.ndarray | None,
    time: np.ndarray | None,
    n_folds: int,
    generator: np.random.Generator,
) -> Iterator[Pair]:
    if time is not None:
        return pairs_in_time(time_blocks(time, n_folds + 1))
    if groups is not None:
        return pairs_apart(group_folds(labels, groups, n_folds, generator))
    return pairs_apart(class_folds(labels, n_folds, generator))


def _seen(labels: np.ndarray, fitted: np.ndarray, judged: np.ndarray) -> Pair | None:
    """The pair with the judged rows whose class is fitted, or None where nothing can be fitted or judged."""
    classes = np.unique(labels[fitted])
    judged = judged[np.isin(labels[judged], classes)]
    return (fitted, judged) if len(classes) >= 2 and judged.size else None


def _outer(data: Dataset, settings: StudySettings) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Repeat, fold, training rows and test rows."""
    if data.time is not None:
        for fold, pair in enumerate(_outer_in_time(data, settings)):
            yield (0, fold, *pair)
    elif data.groups is not None:
        for repeat in range(settings.repeats):
            for fold, pair in enumerate(_outer_in_groups(data, data.groups, settings, repeat)):
                yield (repeat, fold, *pair)
    else:
        check_class_sizes(data, settings)
        folds = RepeatedStratifiedKFold(n_splits=settings.folds, n_repeats=settings.repeats, random_state=settings.seed)
        for i, pair in enumerate(folds.split(np.zeros(len(data.labels)), data.labels)):
            yield (*divmod(i, settings.folds), *pair)


def _outer_in_groups(data: Dataset, groups: np.ndarray, settings: StudySettings, repeat: int) -> list[Pair]:
    """Folds of whole groups; drawn again until every training part has all classes and every test part a row."""
    _check_groups(data, groups, settings)
    for draw in range(DRAWS):
        generator = np.random.default_rng([settings.seed, repeat, draw])
        pairs = list(pairs_apart(group_folds(data.labels, groups, settings.folds, generator)))
        if len(pairs) == settings.folds and all(_has_all(data, train) for train, _ in pairs):
            return pairs
    n_groups = len(np.unique(groups))
    raise StudyError(
        f"{settings.folds} folds of whole groups leave a class of {data.name} without training rows, however they are drawn "
        f"({DRAWS} times): its rows are in a few groups. Use more folds, up to --folds {n_groups}, or merge the class with another."
    )


def _check_groups(data: Dataset, groups: np.ndarray, settings: StudySettings) -> None:
    n_groups = len(np.unique(groups))
    if n_groups < settings.folds:
        fewer = f"use --folds {n_groups}" if n_groups > 1 else "name another column"
        raise StudyError(
            f"{data.name} has {n_groups} group{'s' if n_groups > 1 else ''}, but {settings.folds} folds of whole groups need "
            f"{settings.folds}: {fewer}, or leave --groups out."
        )
    for label, name in enumerate(data.class_names):
        if len(np.unique(groups[data.labels == label])) < 2:
            raise StudyError(
                f"All rows of class {name!r} of {data.name} are in one group, so no training row has it when that group is "
                "tested: add groups with rows of it, merge it with another class, or leave --groups out."
            )


def _outer_in_time(data: Dataset, settings: StudySettings) -> list[Pair]:
    """Blocks in the order of time, each tested by a model of all earlier rows, from the first that have every class."""
    assert data.time is not None
    pairs = list(pairs_in_time(time_blocks(data.time, settings.folds + 1)))
    complete = [pair for pair in pairs if _has_all(data, pair[0])]
    if len(complete) >= 2:
        return complete
    n_times = len(np.unique(data.time))
    if len(pairs) < 2:
        raise StudyError(
            f"{data.name} has {n_times} different time{'s' if n_times > 1 else ''}, too few for two tests on later rows: "
            "give a finer time, or leave --time out."
        )
    missing = [np.setdiff1d(np.arange(len(data.class_names)), data.labels[train]) for train, _ in pairs]
    name = data.class_names[missing[-2][0]]
    raise StudyError(
        f"Class {name!r} of {data.name} has no row early enough to train on, so fewer than two of {len(pairs)} tests on later "
        f"rows are left: use more folds than {settings.folds}, merge the class with another, or leave --time out."
    )


def _has_all(data: Dataset, rows: np.ndarray) -> bool:
    return len(np.unique(data.labels[rows])) == len(data.class_names)


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
