"""Scores of many rows, read in blocks: no copy of the whole is made, whatever the file, its type and its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

Kind = Literal["scores", "probabilities"]
Result = TypeVar("Result")

KINDS: tuple[Kind, ...] = ("scores", "probabilities")
#: Entries of a block: two arrays of this size stay in a core's cache.
BLOCK = 65536


@dataclass(frozen=True)
class ScoreRows:
    """Scores (n, K) of rows, in the form in which the user has them.

    Attributes:
        array: (N, K) numbers of any float or integer type, perhaps a memory map; (N,) or (N, 1) for two classes: the score of the
            second class against 0, or its probability.
        kind: whether the numbers are scores or probabilities. The scores of probabilities p are log p.
        rows: the indices of the rows that count, (n,); None for all.
        floor: probabilities below it are raised to it before the logarithm; 0 leaves log 0 = −inf.
        scale: what the scores are multiplied by, a power of two; scores of 1e30 are fitted in another unit.
    """

    array: np.ndarray
    kind: Kind = "scores"
    rows: np.ndarray | None = None
    floor: float = 0.0
    scale: float = 1.0

    @property
    def n(self) -> int:
        """Rows that count."""
        return len(self.array) if self.rows is None else len(self.rows)

    @property
    def is_one_column(self) -> bool:
        """Whether one number per row stands for two classes."""
        return self.array.ndim == 1 or self.array.shape[1] == 1

    @property
    def n_classes(self) -> int:
        """K."""
        return 2 if self.is_one_column else int(self.array.shape[1])

    @property
    def dtype(self) -> np.dtype:
        """float32 for halves and float32, otherwise float64: the type of a block."""
        return np.dtype(np.float32 if self.array.dtype in (np.float16, np.float32) else np.float64)

    def take(self, rows: np.ndarray) -> ScoreRows:
        """These of the rows that count, by index or by a mask."""
        known = np.arange(len(self.array)) if self.rows is None else self.rows
        return replace(self, rows=known[rows])

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Rows start to stop as they are in the array, (stop − start, K) or (stop − start, 1), in the working type."""
        place = slice(start, stop) if self.rows is None else self.rows[start:stop]
        values = np.asarray(self.array[place])
        return values.reshape(len(values), -1).astype(self.dtype, copy=False)

    def block(self, start: int, stop: int) -> np.ndarray:
        """The scores of rows start to stop, (stop − start, K): the numbers themselves, or log p. Not to be written to."""
        scores = self._unscaled(start, stop)
        return scores if self.scale == 1.0 else scores * self.dtype.type(self.scale)

    def _unscaled(self, start: int, stop: int) -> np.ndarray:
        values = self.raw(start, stop)
        if self.kind == "scores":
            return np.concatenate([np.zeros_like(values), values], axis=1) if self.is_one_column else values
        with np.errstate(divide="ignore"):
            # A floor of float64 scores may be below the least float32.
            least = self.dtype.type(max(self.floor, float(np.finfo(self.dtype).tiny)) if self.floor else 0.0)
            if not self.is_one_column:
                return np.log(np.maximum(values, least))
            # log(1 − p) by log1p: 1 − p is rounded where p is small.
            both = [np.maximum(np.log1p(-np.minimum(values, 1)), np.log(least)), np.log(np.maximum(values, least))]
            return np.concatenate(both, axis=1)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """`block` of a slice with start and stop."""
        return self.block(rows.start, rows.stop)


def blocks(n: int, n_classes: int, entries: int = BLOCK) -> list[slice]:
    """Slices of 0 … n, of about `entries` scores each.

    >>> blocks(5, 2, entries=4)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    height = max(1, entries // max(n_classes, 1))
    return [slice(start, min(start + height, n)) for start in range(0, n, height)]


def for_each_block(
    n: int, n_classes: int, work: Callable[[slice], Result], *, entries: int = BLOCK, threads: int | None = None
) -> list[Result]:
    """The result of `work` on every block of rows, in the order of the rows; the blocks are shared among threads.

    NumPy and the kernels release the interpreter, so that threads help. The results do not depend on their number.
    """
    parts = blocks(n, n_classes, entries)
    threads = n_threads() if threads is None else threads
    if threads == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def n_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
