"""One split of the data: encoded once, then fitted and measured under each mapping and baseline that was asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lastlayer.functions import resolve_mapping
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.baselines import FITS_OF
from lastlayer.study.fit.features import EncodedFold, encode_fold
from lastlayer.study.fit.finished import FinishedFit, FitKey
from lastlayer.study.fit.metrics import Measured, measure, measure_probabilities
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
class SkippedFit:
    """A fit that was not started, since the time was up."""


@dataclass(frozen=True)
class FitTask:
    """What to fit on a split and where to keep the fit.

    `mapping` is the label of a built-in one, which any backend can send to a worker, a record, or None for the baseline `label`.
    """

    label: str
    mapping: str | ProbabilityMapping | None
    path: Path
    key: FitKey


#: What became of a task.
Outcome = FinishedFit | FailedFit | SkippedFit


@dataclass(frozen=True)
class Surroundings:
    """What is the same for every task of a study: the settings, the process that asks, and when it stops asking."""

    settings: StudySettings
    study: int
    #: Seconds since the epoch, which clocks of other machines share.
    deadline: float | None = None


def fit_split(
    features: pd.DataFrame, labels: np.ndarray, split: Split, tasks: Sequence[FitTask], surroundings: Surroundings
) -> list[tuple[FitTask, Outcome]]:
    """Do every task on one split; each finished fit is on disk before the next one starts.

    Raises:
        StudyError: the features cannot be encoded.
    """
    leave_with(surroundings.study)
    if _is_late(surroundings):
        return [(task, SkippedFit()) for task in tasks]
    settings = surroundings.settings
    # One thread: the same bits whatever the number of workers, which are the parallelism here.
    with threadpool_limits(1), quiet():
        fold = encode_fold(features, split.train, split.test, settings.seed, settings.splines)
        return [(task, _attempt(fold, labels, split, task, surroundings)) for task in tasks]


def _is_late(surroundings: Surroundings) -> bool:
    return surroundings.deadline is not None and time.time() > surroundings.deadline


def _attempt(fold: EncodedFold, labels: np.ndarray, split: Split, task: FitTask, surroundings: Surroundings) -> Outcome:
    if _is_late(surroundings):
        return SkippedFit()
    try:
        finished = _fit(fold, labels, split, task, surroundings.settings)
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
    train_labels, test_labels = labels[split.train], labels[split.test]
    if task.mapping is None:
        measured, own = _fit_baseline(fold, train_labels, test_labels, task.label, settings)
    else:
        measured, own = _fit_mapping(fold, train_labels, test_labels, split, resolve_mapping(task.mapping), settings)
    row = {
        "mapping": task.label,
        "repeat": split.repeat,
        "fold": split.fold,
        "n_train": len(train_labels),
        "n_test": len(test_labels),
        **own,
        **measured.values,
    }
    p = measured.probabilities.astype(np.float32) if task.key.n_classes else None
    return FinishedFit(
        row, fold.train.shape[1], measured.confidence, measured.predicted, measured.is_correct, probabilities=p
    )


def _fit_mapping(
    fold: EncodedFold,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    split: Split,
    mapping: ProbabilityMapping,
    settings: StudySettings,
) -> tuple[Measured, dict[str, Any]]:
    start = time.perf_counter()
    strength = Strength(settings.C) if settings.C is not None else _search(fold, train_labels, split, mapping, settings)
    found = time.perf_counter()
    model = linear_model(mapping, C=strength.C, seed=settings.seed).fit(fold.train, train_labels)
    done = time.perf_counter()
    frequencies = np.bincount(train_labels) / len(train_labels)
    measured = measure(mapping, scores_of(model, fold.test), test_labels, frequencies)
    return measured, {
        "C": strength.C,
        "C_at_edge": strength.is_at_edge,
        "search_seconds": found - start,
        "fit_seconds": done - found,
        **facts(model),
    }


def _search(
    fold: EncodedFold, labels: np.ndarray, split: Split, mapping: ProbabilityMapping, settings: StudySettings
) -> Strength:
    return choose_strength(mapping, fold.train, labels, split.inner, settings.grid, settings.seed)


def _fit_baseline(
    fold: EncodedFold, train_labels: np.ndarray, test_labels: np.ndarray, name: str, settings: StudySettings
) -> tuple[Measured, dict[str, Any]]:
    classes = int(train_labels.max()) + 1
    start = time.perf_counter()
    made = FITS_OF[name](fold.train, train_labels, fold.test, classes, settings.seed)
    seconds = time.perf_counter() - start
    measured = measure_probabilities(made.p, made.log_p, test_labels, np.bincount(train_labels) / len(train_labels))
    return measured, {
        "C": float("nan"),
        "C_at_edge": False,
        "search_seconds": float("nan"),
        "fit_seconds": seconds,
        "converged": made.converged,
        "n_iter": made.n_iter,
        "restart_spread": 0.0,
        "is_cut_short": made.is_sampled,
    }
