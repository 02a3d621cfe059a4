"""Fit a calibration map by its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lastlayer.calibration.affine import fit_prior, fit_vector
from lastlayer.calibration.calibrator import Calibrator
from lastlayer.calibration.columns import columns_of
from lastlayer.calibration.counted import Counted, counted, in_unit, is_finite
from lastlayer.calibration.fitted import Fitted, UnboundedError
from lastlayer.calibration.floor import floor_of
from lastlayer.calibration.matrix import fit_matrix
from lastlayer.calibration.one_thread import one_thread_per_block
from lastlayer.calibration.parameter import fit_parameter, is_fitted, some_rows
from lastlayer.calibration.score_rows import ScoreRows
from lastlayer.calibration.temperature import Temperature, fit_temperature
from lastlayer.calibration.temperature_search import search_temperature
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

__all__ = ["MAPS", "Fitted", "UnboundedError", "fit_map", "has_temperature"]

#: The maps that keep the mapping, simplest first. Any mapping's name is a map too: that mapping with a temperature.
MAPS = ("none", "temperature", "temperature_prior", "vector", "matrix")
#: Those that change more than the temperature.
BEYOND = MAPS[2:]
#: Scores that the temperature of a mapping other than softmax is fitted to, if there are more.
MOST_ENTRIES = 1_000_000
#: The most classes of maps with a number per class: their Hessian has (2K)² numbers, and its solution takes (2K)³ operations.
MOST_CLASSES = 2000


def fit_map(
    name: str,
    scores: ScoreRows,
    labels: np.ndarray,
    *,
    mapping: str = "softmax",
    sample_weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    initial: Calibrator | None = None,
    seed: int = 0,
) -> Fitted:
    """Fit the map `name` to scores (n, K) and labels (n,) of 0 … K − 1.

    "temperature" keeps the `mapping`; "temperature_prior", "vector" and "matrix" are softmax of changed scores. The name of a mapping,
    as in "sparsemax" and "entmax:alpha=1.3", is that mapping of x / T; a parameter that is not given, such as α, is fitted.

    Args:
        sample_weight: (n,) ≥ 0, meant as counts: the penalties of "temperature_prior", "vector" and "matrix" are those of a number
            of rows, so a row of weight 2 counts as two, and weights that sum to 1 leave the penalty to decide. A row of weight 0
            changes nothing. In the interval of the temperature a row is one observation, whatever its weight.
        groups: (n,) integer codes of rows that belong together, for the interval of the temperature and `is_clear`.
        initial: a fit of the same map to other rows, where the search begins. The result does not depend on it where the loss is
            convex: every map but a mapping with a parameter to fit, such as α, which is looked for around that of `initial` first.
        seed: of the random parts of the rows.

    Rows whose label has a score of −inf, or a probability of 0 without a floor, have an infinite loss under every map and are left
    out. Probabilities get a floor, half the smallest one above 0, if they have none; only "none" keeps zeros.

    Raises:
        UnboundedError: the loss has no minimum, or the scores have too few digits for a weight per class.
        ValueError: the name is unknown; there are too many classes for a number per class; or a score is infinite, which "matrix"
            cannot mix with others.
    """
    record = resolve_mapping(mapping if name in MAPS else name)
    if name == "none":
        return Fitted(_calibrator(name, record.label, replace(scores, floor=0.0)), scores.n)
    if name in BEYOND and scores.n_classes > MOST_CLASSES:
        raise ValueError(
            f"There are {scores.n_classes} classes, and {name} is fitted to at most {MOST_CLASSES}, since its time grows with their "
            "third power; fit a temperature."
        )
    rows = counted(scores, labels, sample_weight, groups)
    if scores.kind == "probabilities" and not scores.floor:
        # After the rows are chosen: a label of probability 0 is left out and not raised.
        rows = replace(rows, scores=replace(rows.scores, floor=floor_of(scores)))
    initial = None if initial is None else in_unit(initial, rows.scores.scale)
    fitted = _fit(name, record, rows, initial, seed)
    back = 1.0 / rows.scores.scale
    interval = None if fitted.interval is None else (fitted.interval[0] * back, fitted.interval[1] * back)
    return replace(fitted, calibrator=in_unit(fitted.calibrator, back), interval=interval)


def _fit(name: str, record: ProbabilityMapping, counts: Counted, initial: Calibrator | None, seed: int) -> Fitted:
    """The map in the unit of the scores of the rows that count."""
    scores, labels, weights, groups = counts.scores, counts.labels, counts.weights, counts.groups
    n = scores.n
    if name in BEYOND:
        with one_thread_per_block():
            parameters = _beyond(name, counts, initial, seed)
        return Fitted(_calibrator(name, "softmax", scores, **parameters), n)
    first = None if initial is None else initial.temperature
    if name not in MAPS and ":" not in name and is_fitted(record):
        begin = None if initial is None else resolve_mapping(initial.mapping)
        record, near = fit_parameter(record, scores, labels, sample_weight=weights, initial=begin, seed=seed)
        first = None if initial is None else near
    if record.name != "softmax":
        # The kernels of softmax are fast enough for all rows. One number needs few rows.
        rows = some_rows(scores, MOST_ENTRIES, seed)
        scores, labels = scores.take(rows), labels[rows]
        weights, groups = (None if given is None else given[rows] for given in (weights, groups))
    found = _temperature(record, scores, labels, weights, groups, first)
    calibrator = _calibrator(name, record.label, scores, temperature=found.value)
    return Fitted(calibrator, scores.n, (found.low, found.high), found.is_clear)


def has_temperature(record: ProbabilityMapping) -> bool:
    """Whether a temperature changes the mapping's probabilities."""
    return "scale_invariant" not in record.laws


def _calibrator(name: str, mapping: str, scores: ScoreRows, **parameters: Any) -> Calibrator:
    return Calibrator(
        name, mapping, scores.n_classes, scores.kind, scores.is_one_column, floor=scores.floor, **parameters
    )


def _temperature(
    record: ProbabilityMapping,
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    groups: np.ndarray | None,
    initial: float | None,
) -> Temperature:
    if not has_temperature(record):
        raise ValueError(
            f"A temperature does not change {record.label}, whose probabilities do not depend on the scale of the scores."
        )
    if record.tangent is None:
        return search_temperature(record, scores, labels, sample_weight=weights, groups=groups)
    return fit_temperature(record, scores, labels, sample_weight=weights, groups=groups, initial=initial)


def _beyond(name: str, counts: Counted, first: Calibrator | None, seed: int) -> dict[str, Any]:
    """The parameters of a map that changes more than the temperature, which it starts from."""
    scores, labels, weights = counts.scores, counts.labels, counts.weights
    try:
        beta = 1.0 / _temperature(resolve_mapping("softmax"), scores, labels, weights, None, None).value
    except UnboundedError as error:
        # A temperature has nothing to do with equal scores, but a bias has. Opposed scores need weights below 0.
        if error.reason == "separable" or (error.reason == "opposed" and name == "temperature_prior"):
            raise
        # Below 0, a weight turns −inf into +inf.
        if error.reason == "opposed" and not is_finite(scores):
            raise
        beta = 1.0 if error.reason == "constant" else 0.0
    if name == "temperature_prior":
        start = None if first is None or first.bias is None else (1.0 / first.temperature, first.bias)
        beta, bias = fit_prior(scores, labels, weights, beta, start)
        return {"temperature": 1.0 / beta, "bias": bias}
    columns = columns_of(scores, weights)
    columns.check_digits(counts.spread, scores.dtype)
    if name == "vector":
        begin = None if first is None or first.weight is None or first.bias is None else (first.weight, first.bias)
        weight, bias = fit_vector(scores, labels, weights, columns, beta, begin)
        return {"weight": weight, "bias": bias}
    found = fit_matrix(scores, labels, weights, columns, beta, seed)
    return {"matrix": found.matrix, "bias": found.bias}
