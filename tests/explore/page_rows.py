"""Mappings and rows of scores for the page's functions: ordinary, tied, tiny, huge, infinite, of one class or many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

#: The mappings that the page has. A new one in the library need not be there, as it need not have a kernel.
ON_PAGE = (
    "softmax",
    "ratio",
    "spherical",
    "taylor",
    "softplus_ratio",
    "sigmoid_ratio",
    "stablemax",
    "softmax_plus_one",
    "hardmax",
    "sparsemax",
    "entmax",
)
INFINITY = float("inf")
#: Rows that a page is likely to meet, and edges that a random row would not find.
KNOWN: tuple[tuple[float, ...], ...] = (
    (1.0, 0.5),
    (1.0, 2.0),
    (10.0, 20.0),
    (2.0, -1.0, 0.5),
    (1.0, -1.0),
    (-1.0, -2.0),
    (4.0, 3.0, 2.0),
    (1000.0, 0.0),
    (4.0, 0.05),
    (0.0, 0.0),
    (0.0, 1.0),
    (0.0, -0.0, 0.0),
    (3.0,),
    (0.0,),
    (-2.0,),
    (INFINITY,),
    (-INFINITY,),
    (INFINITY, 1.0, 0.0),
    (INFINITY, INFINITY, 2.0),
    (-INFINITY, 1.0, 2.0),
    (-INFINITY, -INFINITY),
    (INFINITY, -INFINITY, 0.5),
    (5e-324, 0.0),
    (5e-324, 1e-320, 2e-310),
    (1.7e308, 1.7e308),
    (1.7e308, -1.7e308, 1.0),
    (-1.7e308, -1.6e308),
    (0.1, 0.2, -0.3),
    (1e16, 1e16 + 2, 1.0),
    (-40.0, -41.0, -800.0),
    (36.9, 37.1, -745.2),
)


def _normal(rng: np.random.Generator, classes: int) -> np.ndarray:
    return rng.normal(size=classes) * 10.0 ** rng.uniform(-1, 1.5)


def _positive(rng: np.random.Generator, classes: int) -> np.ndarray:
    return np.abs(_normal(rng, classes))


def _tied(rng: np.random.Generator, classes: int) -> np.ndarray:
    return rng.integers(-2, 3, size=classes) * rng.choice([0.5, 1.0, 3.0])


def _tiny_or_huge(rng: np.random.Generator, classes: int) -> np.ndarray:
    sign = rng.choice([-1.0, 1.0], size=classes) if rng.random() < 0.5 else np.ones(classes)
    return sign * 10.0 ** rng.uniform(-300, 300) * rng.uniform(0.1, 1.0, size=classes)


def _wide(rng: np.random.Generator, classes: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], size=classes) * 10.0 ** rng.uniform(-20, 20, size=classes)


def _infinite(rng: np.random.Generator, classes: int) -> np.ndarray:
    row = _normal(rng, classes)
    row[rng.random(classes) < 0.4] = rng.choice([-INFINITY, INFINITY])
    return row


def rows(count: int, seed: int = 0) -> list[list[float]]:
    """`count` rows of 1 to 12 classes: the known ones, then random ones of every kind in turn."""
    rng = np.random.default_rng(seed)
    kinds = cycle((_normal, _positive, _tied, _normal, _positive, _tiny_or_huge, _wide, _infinite))

    def drawn() -> Iterator[list[float]]:
        for kind in kinds:
            yield [float(v) for v in kind(rng, int(rng.integers(1, 13)))]

    return [list(row) for row in KNOWN] + list(islice(drawn(), count - len(KNOWN)))
