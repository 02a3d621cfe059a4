"""All metrics of a model's probabilities, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lastlayer.evaluation.intervals import Estimate, mean_estimate, share_estimate
from lastlayer.evaluation.metrics.calibration_errors import calibration_errors
from lastlayer.evaluation.metrics.class_bins import sampled_rows
from lastlayer.evaluation.metrics.classes import class_table, most_confused
from lastlayer.evaluation.metrics.frequencies import frequency_scores
from lastlayer.evaluation.metrics.rows import TOP, Rows, walk_rows
from lastlayer.evaluation.predictions import Predictions
from lastlayer.evaluation.result import Measure

Table = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Measures:
    """The metrics of a model, and what they were computed from.

    Attributes:
        losses, brier, predicted, confidence, is_correct: (n,) per row; see `Rows`.
        metrics: "log_loss", "brier", "accuracy", "top5" if K > 5, "ece" (top label), "classwise_ece".
        confidence_gap: mean confidence minus accuracy; positive for an overconfident model.
        reliability: the bins of the top label's calibration error, as in `Evaluation`.
        classes: one entry per class, in the order of the classes.
        confusions: the most frequent confusions.
    """

    losses: np.ndarray
    brier: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    is_correct: np.ndarray
    metrics: Mapping[str, Measure]
    confidence_gap: Estimate
    reliability: Table
    classes: Table
    confusions: Table


def measure(predictions: Predictions, groups: np.ndarray | None = None, *, seed: int = 0, draws: int = 200) -> Measures:
    """The metrics of probabilities (n, K) of labelled rows, with 95 % intervals.

    Rows of one group (n,) count as dependent in every interval. The range of a calibrated model comes from at least `draws`
    drawings of the labels, which depend on `seed` alone. Rows without probabilities are wrong, with the worst scores, and are
    left out of the calibration errors, which are NaN if no row is left.
    """
    rows, sample = walk_rows(predictions, sampled_rows(predictions.n, predictions.n_classes, seed))
    errors = calibration_errors(predictions, rows, sample, groups, seed=seed, draws=draws)
    return Measures(
        losses=rows.losses,
        brier=rows.brier,
        predicted=rows.predicted,
        confidence=rows.confidence,
        is_correct=rows.is_correct,
        metrics=proper_scores(rows, predictions, groups)
        | {"ece": errors.top_label, "classwise_ece": errors.class_wise},
        confidence_gap=errors.confidence_gap,
        reliability=errors.reliability,
        classes=class_table(predictions.labels, rows.predicted, errors.mean_probability, errors.per_class),
        confusions=most_confused(predictions.labels, rows.predicted, predictions.n_classes),
    )


def proper_scores(rows: Rows, predictions: Predictions, groups: np.ndarray | None) -> dict[str, Measure]:
    """Log loss, Brier score, accuracy, and top 5 if there are more classes, next to what the class frequencies give."""
    estimates = {
        "log_loss": mean_estimate(rows.losses, groups, bounds=(0, math.inf)),
        "brier": mean_estimate(rows.brier, groups, bounds=(0, 2)),
        "accuracy": share_estimate(rows.is_correct, groups),
    }
    if predictions.n_classes > TOP:
        estimates["top5"] = share_estimate(rows.is_in_top, groups)
    base = frequency_scores(predictions.labels, predictions.n_classes)
    return {name: Measure(one.value, one.low, one.high, frequencies=base[name]) for name, one in estimates.items()}
