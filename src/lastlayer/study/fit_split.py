"""One split of the data: encoded once, then fitted and measured under each mapping."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lastlayer.functions import resolve_mapping
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.features import EncodedFold, encode_fold
from lastlayer.study.fit.finished import FinishedFit, FitKey
from lastlayer.study.fit.metrics import measure
from lastlayer.study.fit.model import facts, linear_model, scores_of
from lastlayer.study.fit.splits import Split
from lastlayer.study.fit.strength import Strength, choose_strength
from lastlayer.study.settings import StudySettings
from lastlayer.study.storage.checkpoint import write_fit
from lastlayer.study.workers import leave_with, quiet


@dataclass(frozen=True)
class FailedFit:
    """A fit that raised, and what."""

    reason: str


@dataclass(frozen=True)
class FitTask:
    """A mapping to fit on a split and where to keep the fit; a built-in mapping goes to a worker by its label."""

    label: str
    mapping: str | ProbabilityMapping
    path: Path
    key: FitKey


def fit_split(
    features: pd.DataFrame,
    labels: np.ndarray,
    split: Split,
    tasks: Sequence[FitTask],
    settings: StudySettings,
    study: int,
) -> list[tuple[FitTask, FinishedFit | FailedFit]]:
    """Do every task on one split; each finished fit is on disk before the next one starts.

    `study` is the process that asks for them.

    Raises:
        StudyError: the features cannot be encoded.
    """
    leave_with(study)
    # One thread: the same bits whatever the number of workers, which are the parallelism here.
    with threadpool_limits(1), quiet():
        fold = encode_fold(features, split.train, split.test, settings.seed)
        return [(task, _attempt(fold, labels, split, task, settings)) for task in tasks]


def _attempt(
    fold: EncodedFold, labels: np.ndarray, split: Split, task: FitTask, settings: StudySettings
) -> FinishedFit | FailedFit:
    try:
        finished = _fit(fold, labels, split, task, settings)
    # A mapping may be anybody's code, and one that fails must not take the others' results with it.
    except Exception as error:
        return FailedFit(_reason(error))
    # On another machine the folder may not be there; who asked for the fit writes it when it comes back.
    with suppress(OSError):
        write_fit(task.path, task.key, finished)
    return finished


def _reason(error: Exception) -> str:
    """What the error says; its type too, where that is not one that is raised for a user's data."""
    text = " ".join(str(error).split()).rstrip(".")
    if not text:
        return f"{type(error).__name__}, without a message: a bug, or the mapping's own code"
    return text if type(error) is ValueError else f"{type(error).__name__}: {text}"


def _fit(fold: EncodedFold, labels: np.ndarray, split: Split, task: FitTask, settings: StudySettings) -> FinishedFit:
    mapping = resolve_mapping(task.mapping)
    train_labels, test_labels = labels[split.train], labels[split.test]
    before = time.perf_counter()
    strength = _strength(mapping, fold.train, train_labels, split, settings)
    search_seconds = time.perf_counter() - before
    model = linear_model(mapping, C=strength.C, seed=settings.seed)
    start = time.perf_counter()
    model.fit(fold.train, train_labels)
    seconds = time.perf_counter() - start
    measured = measure(mapping, scores_of(model, fold.test), test_labels, np.bincount(train_labels) / len(train_labels))
    row = {
        "mapping": task.label,
        "repeat": split.repeat,
        "fold": split.fold,
        "n_train": len(train_labels),
        "n_test": len(test_labels),
        "C": strength.C,
        "C_at_edge": strength.is_at_edge,
        "fit_seconds": seconds,
        "search_seconds": search_seconds,
        "is_cut_short": bool(getattr(model, "is_cut_short_", False)),
        **facts(model),
        **measured.values,
    }
    return FinishedFit(row, fold.train.shape[1], measured.confidence, measured.is_correct)


def _strength(
    mapping: ProbabilityMapping, train: np.ndarray, labels: np.ndarray, split: Split, settings: StudySettings
) -> Strength:
    if settings.C is not None:
        return Strength(settings.C)
    return choose_strength(mapping, train, labels, split.inner, settings.grid, settings.seed)
