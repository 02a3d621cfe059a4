"""A whole study: data → the same splits for every mapping → fits → results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed

from lastlayer.files import expanded
from lastlayer.functions import resolve_mapping
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.choice import choose_mappings, left_out
from lastlayer.study.collect import Failure, collect
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.finished import FinishedFit, FitKey
from lastlayer.study.fit.splits import Split, make_splits
from lastlayer.study.fit_split import FailedFit, FitTask, fit_split
from lastlayer.study.progress import Progress, Watch
from lastlayer.study.settings import StudySettings, check_settings
from lastlayer.study.storage.checkpoint import Checkpoints, read_fit, write_fit
from lastlayer.study.storage.fingerprint import study_fingerprint
from lastlayer.study.storage.results import StudyResults
from lastlayer.study.workers import quiet


def run_study(
    dataset: str | Path = "digits",
    *,
    target: str | None = None,
    mappings: str | ProbabilityMapping | Iterable[str | ProbabilityMapping] | None = None,
    folds: int = 5,
    repeats: int = 2,
    C: float | None = None,
    seed: int = 0,
    out: str | Path = Path("lastlayer-study"),
    jobs: int = 1,
    progress: Progress | None = None,
    margin: Mapping[str, float] | None = None,
) -> StudyResults:
    """Train the same linear model under every mapping on one table of data, by repeated stratified cross-validation.

    Features, imputation and scaling are fitted inside each training fold, once for all mappings. Every finished fit is kept
    in `out` at once: the same call after a kill goes on from there, with the same results, and one with other data, settings
    or code starts from the beginning. The results do not depend on `jobs`.

    Args:
        dataset: "digits", "iris", "wine", "breast_cancer", or a .csv or .parquet file.
        target: the file's column of classes.
        mappings: names, names with parameters ("entmax:alpha=1.3") or `ProbabilityMapping`s; softmax is always among them.
            By default every built-in one whose record does not say why it is left out.
        folds: of the cross-validation, two or more.
        repeats: how often the folds are drawn.
        C: the inverse strength of the L2 penalty, as in scikit-learn; by default each fit chooses its own.
        seed: of folds and restarts.
        out: folder for the fits and results.parquet.
        jobs: fits at a time, -1 for one per core; runs on whatever `joblib.parallel_config` says.
        progress: called with (fits done, fits in all, what is done), from another thread.
        margin: metric → the largest difference that counts as equal; for those not given, `MARGIN`.

    Raises:
        StudyError: the study cannot be run as asked; the message says what to do.

    Example:
        >>> from lastlayer.study import run_study
        >>> results = run_study("iris", mappings=["softmax", "sparsemax"], jobs=2)  # doctest: +SKIP
    """
    chosen = choose_mappings(mappings)
    settings = check_settings(
        mappings=tuple(mapping.label for mapping in chosen),
        folds=folds,
        repeats=repeats,
        seed=seed,
        C=C,
        jobs=jobs,
        margin=margin,
    )
    data = load_dataset(dataset, target)
    splits = make_splits(data, settings)
    out = expanded(out)
    fingerprint = study_fingerprint(data, settings)
    checkpoints = Checkpoints(out / "fits" / fingerprint)
    checkpoints.prepare()
    tasks = _tasks(splits, chosen, checkpoints, fingerprint, settings)
    fits, failures = _make_fits(data, tasks, settings, progress)
    results = collect(data, settings, chosen, fits, failures, findings=left_out() if mappings is None else ())
    results.write_parquet(out / "results.parquet")
    return results


@dataclass(frozen=True)
class _SplitTask:
    """A split with a fit of every mapping to make on it."""

    split: Split
    fits: tuple[FitTask, ...]


def _tasks(
    splits: list[Split],
    mappings: tuple[ProbabilityMapping, ...],
    checkpoints: Checkpoints,
    fingerprint: str,
    settings: StudySettings,
) -> list[_SplitTask]:
    stems = {mapping.label: checkpoints.stem(mapping) for mapping in mappings}
    strengths = settings.grid if settings.C is None else (settings.C,)

    def task(split: Split, mapping: ProbabilityMapping) -> FitTask:
        key = FitKey(
            study=fingerprint,
            stem=stems[mapping.label],
            mapping=mapping.label,
            repeat=split.repeat,
            fold=split.fold,
            n_train=len(split.train),
            n_test=len(split.test),
            strengths=strengths,
        )
        return FitTask(mapping.label, _portable(mapping), checkpoints.path(key), key)

    return [_SplitTask(split, tuple(task(split, mapping) for mapping in mappings)) for split in splits]


def _portable(mapping: ProbabilityMapping) -> str | ProbabilityMapping:
    """The label where that names this very mapping, which any backend can send to a worker; otherwise the record."""
    try:
        return mapping.label if resolve_mapping(mapping.label) == mapping else mapping
    except (TypeError, ValueError):
        return mapping


def _make_fits(
    data: Dataset, tasks: list[_SplitTask], settings: StudySettings, progress: Progress | None
) -> tuple[list[FinishedFit], list[Failure]]:
    """Every fit: what is on disk, and the rest made now."""
    known = {fit.path: read_fit(fit.path, fit.key) for task in tasks for fit in task.fits}
    finished = {path: fit for path, fit in known.items() if fit is not None}
    failures: list[Failure] = []
    # With one job, joblib's own default decides, so that a surrounding parallel_config takes effect.
    run = Parallel(n_jobs=None if settings.jobs == 1 else settings.jobs, return_as="generator_unordered")
    missing = [(task.split, [fit for fit in task.fits if fit.path not in finished]) for task in tasks]
    call = delayed(fit_split)
    calls = (call(data.features, data.labels, split, fits, settings, os.getpid()) for split, fits in missing if fits)
    # Here too, for backends whose workers are threads of this process.
    with quiet(), Watch(known, progress), _whole_workers():
        for outcomes in run(calls):
            for task, fit in outcomes:
                if isinstance(fit, FailedFit):
                    failures.append(Failure(task.label, fit.reason))
                else:
                    finished[task.path] = fit
                    _keep(task, fit)
    # In the order of the plan, whatever order the fits came in.
    return [finished[fit.path] for task in tasks for fit in task.fits if fit.path in finished], failures


@contextmanager
def _whole_workers() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise StudyError(
            "A worker process was stopped from outside, most often because memory ran out. Use fewer --jobs or a sample of the "
            "rows; the fits that are finished are kept, and the same study goes on from there."
        ) from error


def _keep(task: FitTask, fit: FinishedFit) -> None:
    """Write a fit that the worker could not: on another machine, the folder may not be there."""
    # A folder in the fit's place stays: nothing there is ours to remove.
    if task.path.is_dir() or read_fit(task.path, task.key) is not None:
        return
    try:
        write_fit(task.path, task.key, fit)
    except OSError as error:
        raise StudyError(
            f"The folder {task.path.parent} cannot be written ({error.strerror or error}); make room or give another one with --out."
        ) from error
