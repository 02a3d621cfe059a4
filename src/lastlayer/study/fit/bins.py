"""Bins of the top probability: equally many rows in each for calibration, equally wide ones for the histogram."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Bins of the calibration error and the reliability diagram.
N_CALIBRATION = 15
#: Bins of the histogram on [0, 1].
N_HISTOGRAM = 20


def equal_mass_bins(confidence: np.ndarray, n_bins: int = N_CALIBRATION) -> np.ndarray:
    """The bin of each row, 0 to n_bins − 1, with equally many rows in each as far as ties allow.

    Rows of equal confidence share a bin: split by chance, their bins would differ by noise alone.

    >>> equal_mass_bins(np.array([0.9, 0.5, 0.6, 0.9]), n_bins=2).tolist()
    [1, 0, 0, 1]
    """
    if confidence.size == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.sort(confidence)[(np.arange(1, n_bins) * confidence.size) // n_bins]
    return np.searchsorted(starts, confidence, side="right")


def reliability(confidence: np.ndarray, is_correct: np.ndarray, n_bins: int = N_CALIBRATION) -> list[dict[str, Any]]:
    """Rows, mean confidence and accuracy of each bin that is not empty."""
    bins = equal_mass_bins(confidence, n_bins)
    n = np.bincount(bins, minlength=n_bins)
    confidences = np.bincount(bins, weights=confidence, minlength=n_bins)
    correct = np.bincount(bins, weights=is_correct, minlength=n_bins)
    return [
        {"bin": int(i), "n": int(n[i]), "confidence": confidences[i] / n[i], "accuracy": correct[i] / n[i]}
        for i in np.flatnonzero(n)
    ]


def calibration_error(confidence: np.ndarray, is_correct: np.ndarray, n_bins: int = N_CALIBRATION) -> float:
    """Expected calibration error of the top label, Σ_b n_b/n · |accuracy_b − confidence_b|; NaN without rows.

    Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, equation 3, with equal-mass bins.
    """
    if confidence.size == 0:
        return float("nan")
    bins = equal_mass_bins(confidence, n_bins)
    gaps = np.bincount(bins, weights=np.asarray(is_correct, dtype=float) - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / confidence.size)


def histogram(confidence: np.ndarray, n_bins: int = N_HISTOGRAM) -> list[dict[str, Any]]:
    """Rows whose top probability falls into each of equally wide bins on [0, 1]."""
    # A sum of rounded terms may exceed 1 by a hair.
    counts, edges = np.histogram(np.clip(confidence, 0.0, 1.0), bins=n_bins, range=(0.0, 1.0))
    return [
        {"left": float(left), "right": float(right), "count": int(count)}
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
