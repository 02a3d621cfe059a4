"""Groups that no column names: rows that are near copies of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.suspicions.columns import Column, Kind

#: Neighbours among which a gap is looked for.
_NEIGHBOURS = 30
#: (how many times as far the next row after the gap is, the share of rows with this gap): a wide one in some rows, or a
#: narrower one in most. Rows along a curve have narrow gaps by chance.
_GAPS = ((3.0, 0.3), (2.0, 0.7))
#: That share as a multiple of chance, and how alike the targets are beyond chance.
_BEYOND, _ALIKE = 3.0, 0.5
#: Least rows and columns of measurements; rows that look for neighbours, rows and columns they look in.
_ROWS, _COLUMNS = 60, 3
QUERIES, WITHIN, WIDTH = 200, 40_000, 50


def near_copies(columns: Sequence[Column], labels: np.ndarray) -> list[Finding]:
    """The finding that rows come in groups of near copies, or none.

    In data of D dimensions the distances to the k-th and next neighbour have a ratio with P(ratio < 1/g) = g^(−kD): a smooth
    density has no gap there (Facco et al. 2017, two-NN). A group of near copies ends in a gap.
    """
    measured = [column for column in columns if _is_measurement(column)]
    if len(labels) < _ROWS or len(measured) < _COLUMNS:
        return []
    generator = np.random.default_rng(0)
    if len(measured) > WIDTH:
        measured = [measured[i] for i in np.sort(generator.choice(len(measured), WIDTH, replace=False))]
    points = np.column_stack([_standardised(column) for column in measured])
    queries = np.sort(generator.permutation(len(labels))[:QUERIES])
    neighbours, distances = _nearest(points, queries, min(2 * _NEIGHBOURS, len(labels) // 3))
    return _finding(neighbours, distances, queries, labels)


def _is_measurement(column: Column) -> bool:
    if column.kind not in (Kind.NUMBER, Kind.WHOLE):
        return False
    return column.is_known.mean() >= 0.8 and column.distinct >= min(100, 0.2 * len(column.codes))


def _standardised(column: Column) -> np.ndarray:
    """The column in float32 from −4 to 4 interquartile ranges; a gap is at the median."""
    known = column.numbers[np.isfinite(column.numbers)]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]) if len(known) else (0.0, 0.0, 0.0)
    # Halved before the difference: numbers near the largest float must not overflow.
    scale = high / 2 - low / 2
    if scale == 0 or not np.isfinite(scale):
        return np.zeros(len(column.numbers), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        values = (column.numbers / 2 - middle / 2) / scale
    return np.clip(np.nan_to_num(values, nan=0.0), -4, 4).astype(np.float32)


def _nearest(points: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(queries, count) the nearest other rows and their distances, in rising order."""
    squares = np.einsum("ij,ij->i", points, points)
    rows, distances = [], []
    for block in np.array_split(queries, max(len(queries) // 50, 1)):
        squared = squares[block, None] + squares - 2 * (points[block] @ points.T)
        squared[np.arange(len(block)), block] = np.inf
        near = np.argpartition(squared, count, axis=1)[:, :count]
        # The expansion above cancels where rows are close; the difference itself does not.
        exact = np.sqrt(((points[near] - points[block, None]) ** 2).sum(axis=2, dtype=np.float64))
        order = np.argsort(exact, axis=1, kind="stable")
        rows.append(np.take_along_axis(near, order, axis=1))
        distances.append(np.take_along_axis(exact, order, axis=1))
    return np.concatenate(rows), np.concatenate(distances)


def _finding(neighbours: np.ndarray, distances: np.ndarray, queries: np.ndarray, labels: np.ndarray) -> list[Finding]:
    counts = np.bincount(labels)
    for gap, least in _GAPS:
        size = _copies(distances, gap)
        # A class of a few rows that lie close together is what a classifier is for.
        size = np.where(2 * (size + 1) <= counts[labels[queries]], size, 0)
        share = float(np.mean(size > 0))
        if share >= max(least, _BEYOND * _chance(distances, gap)):
            return _described(neighbours, distances, queries, labels, size)
    return []


def _copies(distances: np.ndarray, gap: float) -> np.ndarray:
    """(queries,) the number of neighbours before the first gap, 0 if there is none."""
    count = distances.shape[1] // 2
    # Equal rows are no near copies: another finding is about them.
    tiny = 1e-6 * max(float(np.median(distances[:, -1])), 1e-30)
    is_gap = (distances[:, 1 : count + 1] > gap * distances[:, :count]) & (distances[:, :count] > tiny)
    return np.where(is_gap.any(axis=1), is_gap.argmax(axis=1) + 1, 0)


def _described(
    neighbours: np.ndarray, distances: np.ndarray, queries: np.ndarray, labels: np.ndarray, size: np.ndarray
) -> list[Finding]:
    """The finding, if the copies have the same class more often than chance."""
    counts = np.bincount(labels)
    rows = np.flatnonzero(size)
    alike = np.mean([np.mean(labels[neighbours[i, : size[i]]] == labels[queries[i]]) for i in rows])
    chance = float(np.sum((counts / counts.sum()) ** 2))
    if alike - chance < _ALIKE * (1 - chance):
        return []
    adjacent = np.mean([np.any(np.abs(neighbours[i, : size[i]] - queries[i]) == 1) for i in rows])
    nearest = distances[rows, size[rows] - 1]
    facts = {
        "share": float(np.mean(size > 0)),
        "typical": float(np.median(size[rows]) + 1),
        "factor": float(np.median(distances[rows, size[rows]] / nearest)),
        "adjacent": float(adjacent),
        "target_alike": float(alike),
        "chance": chance,
    }
    return [Finding("near_copies", facts=facts)]


def _chance(distances: np.ndarray, gap: float) -> float:
    """The share of rows that would have this gap in a smooth density of the dimension that farther neighbours show."""
    count = distances.shape[1] // 2
    far, near = distances[:, -1], distances[:, count - 1]
    is_spread = (near > 0) & (far > near)
    if not is_spread.any():
        return 1.0
    dimension = np.log(distances.shape[1] / count) / np.median(np.log(far[is_spread] / near[is_spread]))
    return float(np.sum(gap ** (-np.arange(1, count + 1) * dimension)))
