"""What is measured on the test rows of one fit, from the scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lastlayer.findings import METRICS
from lastlayer.functions import log_probabilities, probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.fit.bins import calibration_error
from lastlayer.study.fit.ranking import balanced_accuracy, ranking

#: Brier score of a row outside the mapping's domain: as bad as certainty in a wrong class.
WORST_BRIER = METRICS["brier"].worst


@dataclass(frozen=True)
class Measured:
    """Columns of `FITS` that are measured, and what is said of each test row: see `FinishedFit`."""

    values: dict[str, Any]
    probabilities: np.ndarray
    confidence: np.ndarray
    predicted: np.ndarray
    is_correct: np.ndarray


def brier_rows(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Σ_k (p_k − y_k)² of each row, in [0, 2]; 2 for the NaN rows outside a mapping's domain.

    Source: Brier 1950, Verification of forecasts expressed in terms of probability.
    """
    errors = p.copy()
    errors[np.arange(len(labels)), labels] -= 1.0
    rows = np.sum(errors * errors, axis=-1)
    return np.where(np.isnan(rows), WORST_BRIER, rows)


def skill(brier: np.ndarray, labels: np.ndarray, frequencies: np.ndarray) -> float:
    """1 − Brier score / Brier score of answering every row with the class frequencies; NaN where theirs is 0."""
    theirs = float(np.mean(brier_rows(np.tile(frequencies, (len(labels), 1)), labels)))
    return 1.0 - float(np.mean(brier)) / theirs if theirs > 0 else float("nan")


def measure(
    mapping: ProbabilityMapping, scores: np.ndarray, labels: np.ndarray, frequencies: np.ndarray | None = None
) -> Measured:
    """Measure the mapping's probabilities of scores (n, K) against labels (n,); see `measure_probabilities`.

    log p is computed from the scores, so it is −inf only where a probability is 0, not where it underflows.
    """
    p = probabilities(scores, mapping=mapping, on_domain="nan")
    log_p = log_probabilities(scores, mapping=mapping, on_domain="nan")
    measured = measure_probabilities(p, log_p, labels, frequencies)
    return replace(measured, values=measured.values | {"score_scale": float(np.std(scores))})


def measure_probabilities(
    p: np.ndarray, log_p: np.ndarray, labels: np.ndarray, frequencies: np.ndarray | None = None
) -> Measured:
    """Measure probabilities p (n, K), NaN in rows outside the domain, and their logarithms against labels (n,).

    Rows outside the domain count as wrong in accuracy, 2 in Brier and infinite in log loss; `…_valid` leaves them out, as the
    calibration error, support size and sharpness must. The log loss −log p is never clipped.

    `frequencies` (K,) are those of the classes among the training rows; by default, all are equal. Brier skill is relative to
    them, and a row outside the domain has them in ROC AUC and average precision.
    """
    is_valid = ~np.isnan(p).any(axis=-1)
    predicted = np.where(is_valid, np.argmax(np.where(np.isnan(p), -1.0, p), axis=-1), -1)
    is_correct = predicted == labels
    confidence = np.where(is_valid, p[np.arange(len(labels)), predicted], np.nan)
    inside = confidence[is_valid]
    brier = brier_rows(p, labels)
    known = np.full(p.shape[-1], 1.0 / p.shape[-1]) if frequencies is None else frequencies
    # + 0.0 makes a certain row's −0 a plain 0.
    losses = np.where(is_valid, -log_p[np.arange(len(labels)), labels], np.inf) + 0.0
    values = {
        "accuracy": float(np.mean(is_correct)),
        "brier": float(np.mean(brier)),
        "log_loss": float(np.mean(losses)),
        "ece": calibration_error(inside, is_correct[is_valid]),
        "infinite_share": float(np.mean(np.isinf(losses))),
        "invalid_share": float(np.mean(~is_valid)),
        "invalid_rows": int(np.sum(~is_valid)),
        "accuracy_valid": _mean(is_correct[is_valid]),
        "brier_valid": _mean(brier[is_valid]),
        "log_loss_valid": _mean(losses[is_valid]),
        "ece_rows": int(np.sum(is_valid)),
        # Counted by the logarithm: a probability that underflows is still above zero.
        "support_size": _mean(np.sum(log_p[is_valid] > -np.inf, axis=-1)),
        "score_scale": float("nan"),
        "sharpness": _mean(inside),
        "skill": skill(brier, labels, known),
        **ranking(np.where(is_valid[:, None], p, known), labels),
        "balanced_accuracy": balanced_accuracy(is_correct, labels),
    }
    return Measured(values, p, confidence, predicted, is_correct)


def _mean(rows: np.ndarray) -> float:
    return float(np.mean(rows)) if rows.size else float("nan")
