"""The parameter of a mapping that fits best, such as entmax's α: golden-section search, with a temperature fitted at each value."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lastlayer.calibration.fitted import UnboundedError
from lastlayer.calibration.score_rows import ScoreRows
from lastlayer.calibration.temperature import CLOSE as CLOSE_TEMPERATURE
from lastlayer.calibration.temperature import best_inverse
from lastlayer.calibration.temperature_search import log_losses
from lastlayer.mappings import ProbabilityMapping

#: Parameters that are fitted, and where the search looks for them. Nearer to 1, α-entmax is softmax.
RANGES = {"alpha": (1.1, 2.0)}
#: The search ends with an interval of this length; the value is rounded to as many digits.
CLOSE, DIGITS = 0.04, 2
#: Entries of the scores that a search looks at: its parameter is known to a few per cent at best.
MOST_ENTRIES = 200_000
#: A fold's search looks this far around the parameter of all rows.
AROUND = 0.1
#: The temperature at each value is found to this relative change: a rough one tells which value is better.
ROUGH = 0.02
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def fit_parameter(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    initial: ProbabilityMapping | None = None,
    seed: int = 0,
) -> tuple[ProbabilityMapping, float]:
    """The mapping with the parameter whose log loss is lowest, and its temperature, which is that of the mapping's own loss.

    The mapping has a parameter in `RANGES`, and a `tangent`. The search looks around the parameter of `initial` first, and
    everywhere if the best value there is at an end. `sample_weight` (n,) > 0 counts rows in every loss.

    Raises:
        UnboundedError: no temperature can be fitted.
    """
    name = record.parameters[0].name
    rows = some_rows(scores, MOST_ENTRIES, seed)
    scores, labels = scores.take(rows), labels[rows]
    weights = None if sample_weight is None else sample_weight[rows]

    def temperature(tried: ProbabilityMapping, first: float, close: float) -> float:
        u, _ = best_inverse(tried, scores, labels, sample_weight=weights, initial=first, close=close)
        return math.exp(-u)

    found = {record.parameter: temperature(record, 1.0, CLOSE_TEMPERATURE)}

    def loss(value: float) -> float:
        tried = record.replace(**{name: value})
        nearest = min(found, key=lambda other: abs(other - value))
        try:
            found[value] = temperature(tried, found[nearest], ROUGH)
        except UnboundedError:
            return math.inf
        return float(np.average(log_losses(tried, scores, labels, math.log(found[value])), weights=weights))

    low, high = RANGES[name]
    if initial is not None:
        near = max(low, initial.parameter - AROUND), min(high, initial.parameter + AROUND)
        best = _golden(loss, *near)
        if min(best - near[0], near[1] - best) > CLOSE or best - low < CLOSE or high - best < CLOSE:
            return _rounded(record, best, found)
    return _rounded(record, _golden(loss, low, high), found)


def is_fitted(record: ProbabilityMapping) -> bool:
    """Whether the mapping has a parameter that `fit_parameter` fits."""
    return record.tangent is not None and [each.name for each in record.parameters] == [*RANGES]


def _rounded(
    record: ProbabilityMapping, value: float, temperatures: dict[float, float]
) -> tuple[ProbabilityMapping, float]:
    nearest = min(temperatures, key=lambda other: abs(other - value))
    return record.replace(**{record.parameters[0].name: round(value, DIGITS)}), temperatures[nearest]


def some_rows(scores: ScoreRows, most_entries: int, seed: int) -> np.ndarray:
    """All rows, or a random part of them with at most this number of scores (and at least 500 rows), in order."""
    most = max(most_entries // scores.n_classes, 500)
    if scores.n <= most:
        return np.arange(scores.n)
    return np.sort(np.random.default_rng(seed).choice(scores.n, most, replace=False))


def _golden(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one dip is least; where it is infinite on both sides of a step, the dip is taken to lie below."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > CLOSE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2.0
