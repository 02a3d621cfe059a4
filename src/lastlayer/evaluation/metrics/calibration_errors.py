"""Both calibration errors of a model, with intervals and with the range of a calibrated model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lastlayer.evaluation.intervals import Estimate, design_effect, mean_estimate
from lastlayer.evaluation.metrics.calibrated_range import error_interval, error_range, n_draws
from lastlayer.evaluation.metrics.class_bins import class_bins
from lastlayer.evaluation.metrics.class_wise import ClassWise, class_wise, class_wise_influence
from lastlayer.evaluation.metrics.rows import Rows
from lastlayer.evaluation.metrics.top_label import (
    drawn_hits,
    reliability_of,
    row_influence,
    top_label_bins,
    top_label_design_effect,
    top_label_error,
)
from lastlayer.evaluation.predictions import Predictions
from lastlayer.evaluation.result import Measure

NO_ERROR = Measure(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class CalibrationErrors:
    """What says whether probabilities are right; NaN if no row has probabilities.

    Attributes:
        mean_probability, per_class: (K,) of each class: the mean of its probability, and its calibration error.
        top_label, class_wise: the calibration errors.
        confidence_gap: mean confidence minus accuracy.
        reliability: the bins of the top label.
    """

    mean_probability: np.ndarray
    per_class: np.ndarray
    top_label: Measure = NO_ERROR
    class_wise: Measure = NO_ERROR
    confidence_gap: Estimate = field(default_factory=Estimate)
    reliability: tuple[Mapping[str, float], ...] = ()


def calibration_errors(
    predictions: Predictions, rows: Rows, sample: np.ndarray, groups: np.ndarray | None, *, seed: int, draws: int
) -> CalibrationErrors:
    """The calibration errors of the rows that have probabilities; bins of the classes come from sampled ones (s, K)."""
    is_valid = ~np.isnan(rows.confidence)
    if not is_valid.any():
        none = np.full(predictions.n_classes, math.nan)
        return CalibrationErrors(none, none)
    confidence, is_correct = rows.confidence[is_valid], rows.is_correct[is_valid]
    groups = None if groups is None else groups[is_valid]
    found = class_wise(predictions, class_bins(sample), is_valid, seed=seed, draws=draws)
    influence = class_wise_influence(predictions, found, is_valid)
    found = replace(found, design_effect=design_effect(influence, groups))
    top_label, bands = measure_top_label(confidence, is_correct, groups, seed=seed, draws=draws)
    return CalibrationErrors(
        mean_probability=found.mean_probability,
        per_class=found.per_class,
        top_label=top_label,
        class_wise=measure_class_wise(found, influence, groups),
        confidence_gap=mean_estimate(confidence - is_correct, groups, bounds=(-1, 1)),
        reliability=bands,
    )


def measure_top_label(
    confidence: np.ndarray, is_correct: np.ndarray, groups: np.ndarray | None, *, seed: int, draws: int
) -> tuple[Measure, tuple[Mapping[str, float], ...]]:
    """The calibration error of the top label, and the bins of its reliability diagram."""
    value, plain = top_label_error(confidence, is_correct, groups)
    bins = top_label_bins(confidence)
    hits = drawn_hits(bins, seed, n_draws(len(confidence), draws))
    effect = top_label_design_effect(bins, is_correct, groups)
    expected = error_range(bins.errors(hits), effect, groups)
    # The influence is in the order of the bins.
    groups = None if groups is None else groups[bins.order]
    influence = row_influence(bins, is_correct)
    found = error_interval((value, value), influence, groups, value=value, if_calibrated=expected)
    measured = Measure(value, found.low, found.high, plain=plain, if_calibrated=expected)
    return measured, reliability_of(bins, bins.sums(is_correct), hits, design_effect=effect)


def measure_class_wise(found: ClassWise, influence: np.ndarray, groups: np.ndarray | None) -> Measure:
    """The class-wise calibration error with its interval, from the influence of each row on it (n valid,).

    There are K times as many bins as the top label has, so that the bias that may be left is not small next to the standard
    error. The plain error is too large on average. The debiased one is too large by no more than it is for a calibrated model.
    """
    expected = error_range(found.drawn, found.design_effect, groups)
    means = (found.value - math.sqrt(found.design_effect) * float(found.drawn.mean()), found.plain)
    interval = error_interval(means, influence, groups, value=found.value, if_calibrated=expected)
    return Measure(found.value, interval.low, interval.high, plain=found.plain, if_calibrated=expected)
