"""The arrays that all contenders work on, and the rows that are hard to get right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.mappings import ProbabilityMapping

Array = np.ndarray


@dataclass(frozen=True)
class Problem:
    """Scores (N, K), labels (N,), and a buffer like the scores for those that can write into one."""

    scores: Array
    labels: Array
    out: Array

    @classmethod
    def of(cls, scores: Array, labels: Array) -> Problem:
        """A problem whose buffer is full of NaN, so that entries that are never written show."""
        return cls(np.ascontiguousarray(scores), np.asarray(labels, np.int64), np.full_like(scores, np.nan))


def random_problem(shape: tuple[int, int], mapping: ProbabilityMapping, dtype: np.dtype) -> Problem:
    """Normal scores with a spread of 3 (their sizes where the mapping takes no sign) and labels of any class."""
    rng = np.random.default_rng(1)
    scores = rng.standard_normal(shape, dtype=np.float32).astype(dtype, copy=False)
    scores *= 3
    return Problem.of(into_domain(mapping, scores), rng.integers(0, shape[1], size=shape[0]))


def hard_problems(mapping: ProbabilityMapping, dtype: np.dtype, rows: int) -> dict[str, Problem]:
    """Five classes a row: random scores, wide ones (±100), and confident ones, whose first class leads by 12 to 40."""
    rng = np.random.default_rng(0)
    confident = np.concatenate([np.zeros((rows, 1)), rng.uniform(-40, -12, size=(rows, 4))], axis=1)
    confident[0] = [0, -17, -18, -19, -20]
    kinds = {
        "random": rng.normal(size=(rows, 5)),
        "wide": rng.uniform(-100, 100, size=(rows, 5)),
        "confident": confident,
    }
    moved = {kind: into_domain(mapping, scores.astype(dtype)) for kind, scores in kinds.items()}
    labels = rng.integers(0, 5, size=rows)
    return {
        kind: Problem.of(scores, scores.argmax(axis=1) if kind == "confident" else labels)
        for kind, scores in moved.items()
    }


def into_domain(mapping: ProbabilityMapping, scores: Array) -> Array:
    """Scores that the mapping accepts: as they are, or their sizes where a sign is not allowed."""
    return scores if mapping.domain.is_valid is None else np.abs(scores)
