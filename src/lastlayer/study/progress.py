"""How far a study is: fits done, a forecast of what is left, and the scores of what is finished."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from lastlayer.study.fit.finished import FinishedFit

#: What a mapping without a finished fit is expected to take, in multiples of the reference's fits.
UNKNOWN = 3.0


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        done: fits that are finished.
        total: fits in all.
        what: what is being done: "fits", then "model".
        seconds: since the study began.
        seconds_left: a forecast; None before there is one.
        brier: mean Brier score of each mapping and baseline over its finished fits, in the order in which they came.
        fits: finished fits of each of these.
    """

    done: int
    total: int
    what: str = "fits"
    seconds: float = 0.0
    seconds_left: float | None = None
    brier: dict[str, float] = field(default_factory=dict)
    fits: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """`12 of 130 fits, 4 s, about 30 s left`."""
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        return f"{self.done} of {self.total} {self.what}, {self.seconds:.0f} s{left}"


#: Called with how far the study is.
Progress = Callable[[StudyProgress], object]


class Forecast:
    """Expects what is left to take as long for each mapping as its finished fits took."""

    def __init__(self, planned: dict[str, int], jobs: int) -> None:
        """Expect this number of fits of each label, `jobs` of them at a time."""
        self._planned = planned
        self._jobs = max(jobs, 1)
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._brier: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(self, fit: FinishedFit) -> None:
        """Learn from a finished fit."""
        row = fit.row
        with self._lock:
            self._seconds[row["mapping"]].append(float(np.nansum([row["fit_seconds"], row["search_seconds"]])))
            self._brier[row["mapping"]].append(row["brier"])

    def seconds_left(self) -> float | None:
        """Expected seconds; None before a fit is finished."""
        with self._lock:
            known = {label: float(np.mean(values)) for label, values in self._seconds.items()}
            finished = {label: len(values) for label, values in self._seconds.items()}
        if not known:
            return None
        usual = UNKNOWN * float(np.median(list(known.values())))
        left = {label: max(count - finished.get(label, 0), 0) for label, count in self._planned.items()}
        return sum(count * known.get(label, usual) for label, count in left.items()) / self._jobs

    def scores(self) -> tuple[dict[str, float], dict[str, int]]:
        """Mean Brier score, and the number of finished fits, by label."""
        with self._lock:
            return (
                {label: float(np.mean(values)) for label, values in self._brier.items()},
                {label: len(values) for label, values in self._brier.items()},
            )


class Watch:
    """Reports progress while fits are made; calls `progress` from a thread of its own.

    Fits done are counted on disk, so that the count moves with every fit of every worker.
    """

    def __init__(
        self,
        paths: Collection[Path],
        progress: Progress | None,
        forecast: Forecast,
        started: float | None = None,
        every: float = 0.25,
    ) -> None:
        """Watch for files at `paths`, looking every `every` seconds; `started` is when the study began, since the epoch."""
        self._names = {path.name for path in paths}
        self._folders = {path.parent for path in paths}
        self._progress = progress
        self._forecast = forecast
        self._every = every
        self._start = time.time() if started is None else started
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lastlayer-study-progress", daemon=True)

    def __enter__(self) -> Self:
        """Start watching."""
        if self._progress is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report once more and stop."""
        if self._progress is not None:
            self._stop.set()
            self._thread.join()
            self._report()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._report()
            self._stop.wait(self._every)

    def _report(self) -> None:
        if self._progress is None:
            return
        done = sum(path.name in self._names for folder in self._folders if folder.is_dir() for path in folder.iterdir())
        brier, fits = self._forecast.scores()
        seconds = time.time() - self._start
        left = self._forecast.seconds_left()
        self._progress(StudyProgress(done, len(self._names), "fits", seconds, left, brier, fits))
