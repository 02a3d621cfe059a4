"""The plan of a study: which fits are made on which split, in which order, and where each is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.choice import by_promise, portable
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.baselines import baselines_for
from lastlayer.study.fit.finished import FitKey
from lastlayer.study.fit.splits import Split
from lastlayer.study.fit_split import FitTask
from lastlayer.study.settings import StudySettings
from lastlayer.study.storage.checkpoint import Checkpoints

#: Probabilities of test rows are kept where a repeat of one mapping has at most this many: 16 MB.
MOST_PROBABILITIES = 4_000_000


@dataclass(frozen=True)
class SplitTask:
    """A split with the fits to make on it, which share its encoded features."""

    split: Split
    fits: tuple[FitTask, ...]


@dataclass(frozen=True)
class Plan:
    """Every fit of a study, in the order in which they are made: mapping by mapping, the most promising first."""

    tasks: tuple[SplitTask, ...]
    keeps_probabilities: bool

    @property
    def fits(self) -> tuple[FitTask, ...]:
        """The fits alone."""
        return tuple(fit for task in self.tasks for fit in task.fits)

    def counts(self) -> Counter[str]:
        """Fits of each mapping and baseline."""
        return Counter(fit.label for fit in self.fits)


def make_plan(
    data: Dataset,
    splits: Sequence[Split],
    mappings: Sequence[ProbabilityMapping],
    settings: StudySettings,
    checkpoints: Checkpoints,
    fingerprint: str,
) -> Plan:
    """The reference first, on every split; then the baselines; then wave by wave the mappings that promise less.

    Numbers are encoded again for each wave, which costs little; text and dates are encoded once for all mappings after the
    reference, unless the time is limited: then what is finished must be finished on every split.
    """
    keeps_probabilities = data.labels.size * len(data.class_names) <= MOST_PROBABILITIES
    strengths = settings.grid if settings.C is None else (settings.C,)
    stems = {mapping.label: checkpoints.stem(mapping) for mapping in mappings}

    def fit(split: Split, mapping: ProbabilityMapping | None, label: str) -> FitTask:
        key = FitKey(
            study=fingerprint,
            stem=checkpoints.stem(label) if mapping is None else stems[label],
            mapping=label,
            repeat=split.repeat,
            fold=split.fold,
            n_train=len(split.train),
            n_test=len(split.test),
            strengths=() if mapping is None else strengths,
            n_classes=len(data.class_names) if keeps_probabilities else 0,
        )
        return FitTask(label, None if mapping is None else portable(mapping), checkpoints.path(key), key)

    reference, *others = by_promise(mappings)
    is_numeric = all(kind == np.float64 for kind in data.features.dtypes)
    is_cheap = is_numeric or settings.time_limit is not None
    waves = [[mapping] for mapping in others] if is_cheap else [others] * bool(others)
    tasks = [SplitTask(split, (fit(split, reference, reference.label),)) for split in splits]
    baselines = baselines_for(len(data.class_names))
    tasks += [
        SplitTask(split, tuple(fit(split, None, name) for name in baselines)) for split in splits if split.repeat == 0
    ]
    tasks += [
        SplitTask(split, tuple(fit(split, mapping, mapping.label) for mapping in wave))
        for wave in waves
        for split in splits
    ]
    return Plan(tuple(tasks), keeps_probabilities)
