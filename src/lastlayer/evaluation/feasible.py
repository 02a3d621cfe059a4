"""Which maps are worth trying: those that change something, and whose fit does not take minutes."""

from __future__ import annotations

import numpy as np

from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import has_temperature
from lastlayer.calibration.score_rows import for_each_block
from lastlayer.findings import Finding
from lastlayer.functions import resolve_mapping

#: The most classes: a Newton step solves for K + 1 parameters, or for 2K.
MOST_CLASSES = {"temperature_prior": 1000, "vector": 500}
#: The largest rows × classes for a bias and a weight per class, the largest rows × classes² for their Hessian, and for a matrix.
MOST_ENTRIES, MOST_PRODUCTS, MOST_MATRIX = 10_000_000, 1_000_000_000, 30_000_000
#: Rows per parameter below which a matrix would be noise.
ROWS_PER_PARAMETER = 2


def why_not(name: str, scores: ScoreRows, mapping: str) -> Finding | None:
    """Why the map is not tried, or None if it is."""
    n, k = scores.n, scores.n_classes
    if name == "temperature" and not has_temperature(resolve_mapping(mapping)):
        return Finding("map_without_effect", name)
    if name == "vector" and scores.is_one_column:
        return Finding("map_same_as", name, {"other": "temperature_prior"})
    if name == "matrix" and k == 2:
        return Finding("map_same_as", name, {"other": "temperature_prior" if scores.is_one_column else "vector"})
    if name in MOST_CLASSES and (n * k > MOST_ENTRIES or n * k * k > MOST_PRODUCTS or k > MOST_CLASSES[name]):
        return Finding("map_too_large", name, {"entries": n * k, "limit": min(MOST_ENTRIES, MOST_PRODUCTS // k)})
    if name == "matrix" and n * k * k > MOST_MATRIX:
        return Finding("map_too_large", name, {"entries": n * k, "limit": MOST_MATRIX // k})
    if name == "matrix" and n < ROWS_PER_PARAMETER * k * k:
        return Finding("map_few_rows", name, {"parameters": k * k - 1, "rows": n})
    if name in ("vector", "matrix") and _has_infinite(scores):
        return Finding("map_infinite_scores", name)
    return None


def _has_infinite(scores: ScoreRows) -> bool:
    if scores.kind == "probabilities":
        return False
    return any(
        for_each_block(scores.n, scores.n_classes, lambda rows: bool(np.isinf(scores.raw(rows.start, rows.stop)).any()))
    )
