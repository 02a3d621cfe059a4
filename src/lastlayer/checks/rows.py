"""The scores used to check every mapping: random, wide, nearly tied, peaked, subnormal and huge rows."""

from __future__ import annotations

import numpy as np

from lastlayer.mappings import ProbabilityMapping

#: How far a class is inside the support (> 0) or outside (< 0), relative to the distance at which a class leaves it.
INSIDE = (1e-2, 1e-6, 1e-11, 0.0, -1e-6)


def random_rows(seed: int, rows: int, classes: int, scale: float) -> np.ndarray:
    """Normal scores of a given spread."""
    return scale * np.random.default_rng(seed).normal(size=(rows, classes))


def score_rows(mapping: ProbabilityMapping, dtype: np.dtype) -> dict[str, np.ndarray]:
    """Rows of each kind in `dtype`, moved into the mapping's domain; the same in every run."""
    rng = np.random.default_rng(20)
    info = np.finfo(dtype)
    tiny = float(info.smallest_normal)
    kinds = {
        "random": random_rows(1, 12, 5, 2.0),
        "two classes": random_rows(2, 12, 2, 4.0),
        "many classes": random_rows(3, 2, 67, 1.5),
        "around minus one": -1.0 + random_rows(4, 6, 4, 0.05),
        "spread": rng.uniform(-100, 100, size=(8, 6)),
        "wide": rng.uniform(-1e4, 1e4, size=(6, 4)),
        "nearly tied": 1.0 + 8.0 * float(info.eps) * rng.integers(-4, 5, size=(6, 4)),
        "peaked": np.concatenate([random_rows(5, 6, 3, 1.0), 30.0 + random_rows(6, 6, 1, 8.0)], axis=1),
        # The second of two classes leaves the support of α-entmax at 1/(α − 1) below the first; here α = 1.3, 1.5 and 2.
        "edge of a support": np.array([[0.0, edge * (u - 1.0)] for edge in (1 / 0.3, 2.0, 1.0) for u in INSIDE]),
        "subnormal": rng.uniform(0.01, 1.0, size=(4, 3)) * tiny,
        "huge": rng.uniform(-1.0, 1.0, size=(4, 3)) * float(info.max) * 0.9,
        "mixed sizes": 10.0 ** rng.uniform(-30, 30, size=(6, 4)) * rng.choice([-1.0, 1.0], size=(6, 4)),
    }
    with np.errstate(under="ignore", over="ignore"):
        return {kind: into_domain(mapping, rows.astype(dtype)) for kind, rows in kinds.items()}


def rows_near_one(mapping: ProbabilityMapping, dtype: np.dtype) -> dict[str, np.ndarray]:
    """Rows whose Σ g is near one for some mapping, so that Z = log Σ g cancels."""
    rng = np.random.default_rng(21)
    kinds = {
        "one small class": 10.0 ** rng.uniform(-30, 0, size=(8, 1)),
        "two small classes": 10.0 ** rng.uniform(-6, 0, size=(8, 2)) * rng.choice([-1.0, 1.0], size=(8, 2)),
        "squares that sum to one": np.sqrt(1 / 433)
        * (1 + 10.0 ** rng.uniform(-6, -2, size=(3, 1)))
        * np.ones((3, 433)),
        "scores that sum to one": 1 / 433 * (1 + 10.0 ** rng.uniform(-6, -2, size=(3, 1))) * np.ones((3, 433)),
    }
    return {kind: into_domain(mapping, rows.astype(dtype)) for kind, rows in kinds.items()}


def into_domain(mapping: ProbabilityMapping, rows: np.ndarray) -> np.ndarray:
    """Scores that the mapping accepts: unchanged, or their absolute values if the mapping does not accept them."""
    if mapping.domain.is_valid is None or bool(np.all(mapping.domain.is_valid(rows, np))):
        return rows
    return np.abs(rows)
