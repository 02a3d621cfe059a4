"""Change along the rows or a date: a shuffled split is then too good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.study.suspicions.alone import mean_recall
from lastlayer.study.suspicions.columns import Column
from lastlayer.study.suspicions.linear import auc_across, design, predict_half

#: Rows that are looked at, columns, and shuffled halves that say what chance does.
ROWS, COLUMNS, SHUFFLES = 2000, 40, 16
#: A loss of mean recall that matters, in standard deviations and absolutely; and where the features differ as well.
_SURE, _LOSS = 5.0, 0.08
_SURE_TOO, _LOSS_TOO = 3.5, 0.05
#: The area under the ROC curve at which the halves are different tables, and its standard errors above 0.5.
_AUC = 0.75
#: A change of a class's share of the rows that matters.
_SHARE = 0.25
#: Fewer rows show nothing.
LEAST = 40


@dataclass(frozen=True)
class Drift:
    """How the early half of each class differs from the late half.

    Attributes:
        shuffled: mean recall of a linear classifier that learns from one random half and is tested on the other.
        ordered: the same for the early and the late half.
        auc: of a linear classifier that tells late rows from early ones by the features.
        columns: names of the columns that differ most.
        is_relation: whether the target is predicted worse across the halves.
        is_shift: whether the features differ.
    """

    shuffled: float
    ordered: float
    auc: float
    columns: tuple[str, ...]
    is_relation: bool
    is_shift: bool


def measure_drift(
    columns: Sequence[Column], labels: np.ndarray, key: np.ndarray, groups: np.ndarray | None = None
) -> Drift | None:
    """The drift along `key`, or None where there is too little to see any.

    Halves are taken within each class, so that rows that are merely sorted by class do not drift.

    Args:
        columns: the features, in the rows that are looked at.
        labels: of these rows.
        key: (n,) numbers in the order of time, ties are broken at random.
        groups: (n,) rows of one group stay together when halves are shuffled.
    """
    generator = np.random.default_rng(0)
    classes, targets = np.unique(labels, return_inverse=True)
    if len(columns) > COLUMNS:
        columns = [columns[i] for i in np.sort(generator.choice(len(columns), COLUMNS, replace=False))]
    features, sources = design(columns)
    if len(labels) < LEAST or features.shape[1] == 0 or len(classes) < 2:
        return None
    is_late = _late_half(key, targets, generator)
    if not 0 < is_late.sum() < len(is_late):
        return None
    ordered = _across(features, targets, is_late)
    shuffled = [
        _across(features, targets, _late_half(_shuffled(groups, len(labels), generator), targets, generator))
        for _ in range(SHUFFLES)
    ]
    mean, spread = float(np.mean(shuffled)), float(np.std(shuffled, ddof=1))
    auc = auc_across(features, is_late, generator)
    late, early = int(is_late.sum()), int((~is_late).sum())
    noise = np.sqrt((late + early + 1) / (12 * late * early))
    # Groups are whole on one side, which alone tells the halves apart.
    is_shift = groups is None and auc >= max(_AUC, 0.5 + _SURE * noise)
    loss = mean - ordered
    is_relation = loss >= max(_LOSS, _SURE * spread) or (is_shift and loss >= max(_LOSS_TOO, _SURE_TOO * spread))
    return Drift(
        shuffled=mean,
        ordered=ordered,
        auc=auc,
        columns=_most_different(features, sources, columns, is_late),
        is_relation=bool(is_relation),
        is_shift=bool(is_shift),
    )


def class_share(labels: np.ndarray, key: np.ndarray) -> tuple[int, float, float] | None:
    """(label, share in the early half, share in the late half) of the class that changes most, or None where none does much."""
    if len(labels) < LEAST:
        return None
    is_late = np.arange(len(labels)) >= len(labels) // 2
    ordered = labels[np.argsort(key, kind="stable")]
    classes = int(labels.max()) + 1
    early, late = (np.bincount(ordered[half], minlength=classes) / half.sum() for half in (~is_late, is_late))
    label = int(np.argmax(np.abs(late - early)))
    mean = (early[label] + late[label]) / 2
    noise = np.sqrt(4 * mean * (1 - mean) / len(labels))
    if abs(late[label] - early[label]) < max(_SHARE, _SURE * noise):
        return None
    return label, float(early[label]), float(late[label])


def _late_half(key: np.ndarray, targets: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n,) whether a row is in the later half of its class."""
    order = np.lexsort((generator.random(len(key)), key, targets))
    counts = np.bincount(targets)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(key)) - starts[targets[order]]
    is_late = np.empty(len(key), dtype=bool)
    is_late[order] = 2 * place >= counts[targets[order]]
    return is_late


def _shuffled(groups: np.ndarray | None, rows: int, generator: np.random.Generator) -> np.ndarray:
    if groups is None:
        return generator.random(rows)
    return generator.random(int(groups.max(initial=0)) + 1)[groups]


def _across(features: np.ndarray, targets: np.ndarray, is_late: np.ndarray) -> float:
    """Mean recall when each half is predicted by the other."""
    late, early = np.flatnonzero(is_late), np.flatnonzero(~is_late)
    predicted = np.empty_like(targets)
    predicted[late] = predict_half(features, targets, early, late)
    predicted[early] = predict_half(features, targets, late, early)
    return mean_recall(predicted, targets)


def _most_different(
    features: np.ndarray, sources: Sequence[int], columns: Sequence[Column], is_late: np.ndarray
) -> tuple[str, ...]:
    """Up to three columns whose means differ most between the halves, in standard deviations."""
    spread = features.std(axis=0)
    shift = np.abs(features[is_late].mean(axis=0) - features[~is_late].mean(axis=0)) / np.where(spread > 0, spread, 1)
    names: dict[str, float] = {}
    for part in np.argsort(-shift):
        if shift[part] >= 0.3:
            names.setdefault(columns[sources[part]].name, float(shift[part]))
    return tuple(names)[:3]
