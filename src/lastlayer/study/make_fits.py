"""Every fit of a plan: what is on disk, and the rest made now, on whatever joblib runs on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from joblib import Parallel, cpu_count, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.finished import FinishedFit
from lastlayer.study.fit_split import FailedFit, FitTask, SkippedFit, Surroundings, fit_split
from lastlayer.study.plan import Plan, SplitTask
from lastlayer.study.progress import Forecast, Progress, Watch
from lastlayer.study.settings import StudySettings
from lastlayer.study.storage.checkpoint import read_fit, write_fit
from lastlayer.study.workers import quiet

#: Work above which a study uses every core unless it is asked otherwise: below, starting workers takes longer. The unit is a cell
#: times a class in one fit; a fit costs as much as 2000 of them at the least, and ten times as much where it chooses C.
LARGE, LEAST, SEARCH = 1_000_000, 2000, 10
#: Attempts in a row without a new fit after which lost workers end the study.
ATTEMPTS = 2
#: Libraries whose errors about lost workers are not known here by type.
_CLUSTERS = ("distributed", "ray")


@dataclass
class Fits:
    """What became of the fits of a plan."""

    finished: dict[Path, FinishedFit] = field(default_factory=dict)
    #: The reason by path.
    failed: dict[Path, str] = field(default_factory=dict)
    skipped: set[Path] = field(default_factory=set)

    def is_settled(self, task: FitTask) -> bool:
        """Whether there is nothing left to do for this fit."""
        return task.path in self.finished or task.path in self.failed or task.path in self.skipped


def make_fits(
    data: Dataset, plan: Plan, settings: StudySettings, progress: Progress | None, started: float | None = None
) -> Fits:
    """Make what is missing; a lost worker costs the fits that it was making, which are made again.

    `started`: when the study began, in seconds since the epoch, from which its time limit counts.

    Raises:
        StudyError: a fit cannot be kept, or workers are lost again and again.
    """
    jobs = _jobs(data, plan, settings)
    deadline = None
    if settings.time_limit is not None:
        deadline = (time.time() if started is None else started) + settings.time_limit
    surroundings = Surroundings(settings, os.getpid(), deadline)
    fits = Fits()
    forecast = Forecast(dict(plan.counts()), effective_n_jobs(jobs))
    _read_finished(plan, fits, forecast)
    # Here too, for backends whose workers are threads of this process.
    # The limit of threads likewise: those of one process share it, and the last one to leave a limit of its own restores it.
    limit = threadpool_limits(1) if effective_n_jobs(jobs) > 1 else nullcontext()
    with limit, quiet(), Watch([fit.path for fit in plan.fits], progress, forecast, started):
        futile = 0
        while tasks := _missing(plan, fits):
            before = len(fits.finished)
            try:
                _run(data, tasks, surroundings, jobs, fits, forecast)
            except Exception as error:
                if not _is_lost_worker(error):
                    raise
                # Fits that were finished but not handed over are on disk.
                _read_finished(plan, fits, forecast)
                futile = futile + 1 if len(fits.finished) == before else 0
                if futile >= ATTEMPTS:
                    raise StudyError(
                        "Worker processes were stopped from outside again and again, most often because memory ran out. Use fewer "
                        "--jobs or a sample of the rows; the fits that are finished are kept, and the same study goes on from there."
                    ) from error
    return fits


def _jobs(data: Dataset, plan: Plan, settings: StudySettings) -> int | None:
    """The `n_jobs` of joblib: None leaves it to a surrounding `parallel_config`."""
    if settings.jobs is not None and settings.jobs != 1:
        return settings.jobs
    work = len(plan.fits) * max(data.features.size * len(data.class_names), LEAST)
    is_small = work * (SEARCH if settings.C is None else 1) < LARGE
    return None if settings.jobs == 1 or is_small or effective_n_jobs(None) > 1 or cpu_count() == 1 else -1


def _missing(plan: Plan, fits: Fits) -> list[SplitTask]:
    left = (SplitTask(task.split, tuple(f for f in task.fits if not fits.is_settled(f))) for task in plan.tasks)
    return [task for task in left if task.fits]


def _read_finished(plan: Plan, fits: Fits, forecast: Forecast) -> None:
    for task in plan.fits:
        if not fits.is_settled(task) and (fit := read_fit(task.path, task.key)) is not None:
            _add(task, fit, fits, forecast)


def _add(task: FitTask, fit: FinishedFit, fits: Fits, forecast: Forecast) -> None:
    # The probabilities of later repeats stay on disk: only those of the first one are looked at here.
    fits.finished[task.path] = fit if task.key.repeat == 0 else fit.without_probabilities()
    forecast.add(fit)


def _run(
    data: Dataset, tasks: list[SplitTask], surroundings: Surroundings, jobs: int | None, fits: Fits, forecast: Forecast
) -> None:
    call = delayed(fit_split)
    calls = (call(data.features, data.labels, task.split, task.fits, surroundings) for task in tasks)
    for outcomes in Parallel(n_jobs=jobs, return_as="generator_unordered")(calls):
        for task, outcome in outcomes:
            match outcome:
                case FailedFit(reason):
                    fits.failed[task.path] = reason
                case SkippedFit():
                    fits.skipped.add(task.path)
                case FinishedFit():
                    with _keepable(task.path):
                        _keep(task, outcome)
                    _add(task, outcome, fits, forecast)


def _is_lost_worker(error: Exception) -> bool:
    # A cluster may raise what its worker raised as an error of its own type.
    if isinstance(error, StudyError):
        return False
    is_foreign = type(error).__module__.partition(".")[0] in _CLUSTERS
    return is_foreign or isinstance(error, (BrokenExecutor, CancelledError))


def _keep(task: FitTask, fit: FinishedFit) -> None:
    """Write a fit that the worker could not: on another machine, the folder may not be there."""
    # A folder in the fit's place stays: nothing there is ours to remove.
    if not task.path.is_dir() and read_fit(task.path, task.key) is None:
        write_fit(task.path, task.key, fit)


@contextmanager
def _keepable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"The folder {path.parent} cannot be written ({error.strerror or error}); make room or give another one with --out."
        ) from error
