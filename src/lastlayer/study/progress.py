"""How far a study is, read from the finished fits on disk, so that it moves with every fit of every worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Self

#: Called with fits done, fits in all, and what is being done.
Progress = Callable[[int, int, str], object]


class Watch:
    """Reports progress while fits are made; calls `progress` from a thread of its own."""

    def __init__(self, paths: Collection[Path], progress: Progress | None, every: float = 0.25) -> None:
        """Watch for files at `paths`, looking every `every` seconds."""
        self._names = {path.name for path in paths}
        self._folders = {path.parent for path in paths}
        self._progress = progress
        self._every = every
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
        done = sum(path.name in self._names for folder in self._folders if folder.is_dir() for path in folder.iterdir())
        if self._progress is not None:
            self._progress(done, len(self._names), "fits")
