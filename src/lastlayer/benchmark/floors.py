"""The physical floors: copying the scores into the buffer, and reading them, each in the fastest way at hand.

Which way is fastest depends on the size: one thread, or as many as the contenders have, from Python's pool or torch's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from lastlayer.benchmark.problem import Problem

Calls = dict[str, Callable[[], Any]]


class Floors:
    """Ways to copy and to read with a number of threads."""

    def __init__(self, threads: int, pool: ThreadPoolExecutor) -> None:
        """`pool` has as many workers as there are threads."""
        self._threads = threads
        self._pool = pool

    def calls(self, kind: str, problem: Problem) -> Calls:
        """Name of the way, which begins with its kind, "copy" or "read", → the call."""
        return self._copies(problem) if kind == "copy" else self._reads(problem)

    def _copies(self, problem: Problem) -> Calls:
        source, target = problem.scores.ravel(), problem.out.ravel()
        parts = list(zip(self._parts(target), self._parts(source), strict=True))
        calls: Calls = {"copy, one thread": lambda: np.copyto(target, source)}
        if self._threads > 1:
            calls["copy, threads"] = lambda: list(self._pool.map(lambda part: np.copyto(*part), parts))
        # Its own peer has loaded it, if it is there at all.
        if (torch := sys.modules.get("torch")) is not None:
            ours, theirs = torch.from_numpy(source), torch.from_numpy(target)
            calls["copy, torch"] = lambda: theirs.copy_(ours)
        return calls

    def _reads(self, problem: Problem) -> Calls:
        source = problem.scores.ravel()
        parts = self._parts(source)
        calls: Calls = {"read, one thread": source.max}
        if self._threads > 1:
            calls["read, threads"] = lambda: list(self._pool.map(np.max, parts))
        if (torch := sys.modules.get("torch")) is not None:
            calls["read, torch"] = torch.from_numpy(source).sum
        return calls

    def _parts(self, array: np.ndarray) -> list[np.ndarray]:
        return np.array_split(array, min(self._threads, array.size))


@contextmanager
def floors(threads: int) -> Iterator[Floors]:
    """The floors, while their threads are kept."""
    with ThreadPoolExecutor(threads) as pool:
        yield Floors(threads, pool)
