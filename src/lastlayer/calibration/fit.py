"""Fit a calibration map by its name."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.calibration.affine import fit_prior, fit_vector
from lastlayer.calibration.calibrator import Calibrator
from lastlayer.calibration.fitted import Fitted, UnboundedError
from lastlayer.calibration.matrix import fit_matrix
from lastlayer.calibration.one_thread import one_thread_per_block
from lastlayer.calibration.parameter import fit_parameter, some_rows
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
        sample_weight: (n,) ≥ 0.
        groups: (n,) integer codes of rows that belong together, for the interval of the temperature.
        initial: a fit of the same map to other rows, where the search begins; the result does not depend on it.
        seed: of the random parts of the rows.

    Raises:
        UnboundedError: the loss has no minimum.
        ValueError: the name is unknown.
    """
    record = resolve_mapping(mapping if name in MAPS else name)
    if name in BEYOND:
        with one_thread_per_block():
            parameters = _beyond(name, scores, labels, sample_weight, initial, seed)
        return Fitted(_calibrator(name, "softmax", scores, **parameters), scores.n)
    if name == "none":
        return Fitted(_calibrator(name, record.label, scores), scores.n)
    first = 1.0 if initial is None else initial.temperature
    if name not in MAPS and ":" not in name and record.parameters:
        begin = None if initial is None else resolve_mapping(initial.mapping)
        record, first = fit_parameter(record, scores, labels, initial=begin, seed=seed)
    if record.name != "softmax":
        # The kernels of softmax are fast enough for all rows. One number needs few rows.
        rows = some_rows(scores, MOST_ENTRIES, seed)
        scores, labels = scores.take(rows), labels[rows]
        sample_weight, groups = (None if given is None else given[rows] for given in (sample_weight, groups))
    found = _temperature(record, scores, labels, sample_weight, groups, first)
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
    initial: float,
) -> Temperature:
    if not has_temperature(record):
        raise ValueError(
            f"A temperature does not change {record.label}, whose probabilities do not depend on the scale of the scores."
        )
    if record.tangent is None:
        return search_temperature(record, scores, labels, sample_weight=weights)
    return fit_temperature(record, scores, labels, sample_weight=weights, groups=groups, initial=initial)


def _beyond(
    name: str,
    scores: ScoreRows,
    labels: np.ndarray,
    weights: np.ndarray | None,
    first: Calibrator | None,
    seed: int,
) -> dict[str, Any]:
    """The parameters of a map that changes more than the temperature, which it starts from."""
    try:
        beta = 1.0 / _temperature(resolve_mapping("softmax"), scores, labels, weights, None, 1.0).value
    except UnboundedError as error:
        # A temperature has nothing to do with equal scores, but a bias has. Opposed scores need weights below 0.
        if error.reason == "separable" or (error.reason == "opposed" and name == "temperature_prior"):
            raise
        beta = 1.0 if error.reason == "constant" else 0.0
    if name == "temperature_prior":
        start = None if first is None or first.bias is None else (1.0 / first.temperature, first.bias)
        beta, bias = fit_prior(scores, labels, weights, beta, start)
        return {"temperature": 1.0 / beta, "bias": bias}
    if name == "vector":
        begin = None if first is None or first.weight is None or first.bias is None else (first.weight, first.bias)
        weight, bias = fit_vector(scores, labels, weights, beta, begin)
        return {"weight": weight, "bias": bias}
    found = fit_matrix(scores, labels, weights, beta, seed)
    return {"matrix": found.matrix, "bias": found.bias}
