"""A finished fit, its key, and whether its numbers are plausible for that key."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lastlayer.findings import DESCRIPTIVE, METRICS
from lastlayer.study.fit.bins import calibration_error
from lastlayer.study.fit.metrics import WORST_BRIER
from lastlayer.study.schema import FITS

#: What rounding may add to a number in [0, 1].
_ROUNDING = 1e-9
#: The range of each column; NaN is allowed where the test rows may all be outside the domain.
_RANGES = {
    **{metric.key: metric.bounds for metric in METRICS.values()},
    "infinite_share": (0.0, 1.0),
    "invalid_share": (0.0, 1.0),
    **{f"{key}_valid": METRICS[key].bounds for key in ("accuracy", "brier", "log_loss")},
    "support_size": (0.0, math.inf),
    "fit_seconds": (0.0, math.inf),
    "restart_spread": (0.0, math.inf),
    "score_scale": (0.0, math.inf),
    "sharpness": (0.0, 1.0),
    **{metric.key: metric.bounds for metric in DESCRIPTIVE.values()},
    "search_seconds": (0.0, math.inf),
}
_MAY_BE_NAN = {"ece", "accuracy_valid", "brier_valid", "log_loss_valid", "support_size", "sharpness", *DESCRIPTIVE}


@dataclass(frozen=True)
class FinishedFit:
    """One fit: its row of `FITS`, and per test row inside the domain the top probability and whether it is right."""

    row: dict[str, Any]
    n_encoded: int
    confidence: np.ndarray
    is_correct: np.ndarray


@dataclass(frozen=True)
class FitKey:
    """What identifies a fit: data, settings, code, mapping and split.

    Attributes:
        study: fingerprint of the data, the settings and the code.
        stem: label and fingerprint of the mapping, as file names begin with them.
        mapping: its label.
        strengths: the values that C may have.
    """

    study: str
    stem: str
    mapping: str
    repeat: int
    fold: int
    n_train: int
    n_test: int
    strengths: tuple[float, ...]

    def text(self) -> str:
        """The key in one line."""
        return json.dumps(asdict(self), sort_keys=True)


def is_plausible(fit: FinishedFit, key: FitKey) -> bool:
    """Whether a fit for this key can have these numbers: types and ranges, and what can be computed from the test rows."""
    row = fit.row
    if not all(_has_kind(row[name], kind) for name, kind in FITS.items()):
        return False
    if not (_has_kind(fit.n_encoded, "int64") and fit.n_encoded > 0 and row["n_iter"] > 0):
        return False
    named = ("mapping", "repeat", "fold", "n_train", "n_test")
    if any(row[name] != getattr(key, name) for name in named) or row["C"] not in key.strengths:
        return False
    in_range = all(
        low - _ROUNDING <= row[name] <= high + _ROUNDING or (name in _MAY_BE_NAN and math.isnan(row[name]))
        for name, (low, high) in _RANGES.items()
    )
    return in_range and _agrees_with_rows(fit, key)


def _has_kind(value: Any, kind: str) -> bool:
    if kind == "int64":
        return type(value) is int and abs(value) < 2**63
    return type(value) is {"str": str, "bool": bool, "float64": float}[kind]


def _agrees_with_rows(fit: FinishedFit, key: FitKey) -> bool:
    row, confidence, is_correct = fit.row, fit.confidence, fit.is_correct
    inside = len(confidence)
    if not (inside == len(is_correct) == row["ece_rows"] == key.n_test - row["invalid_rows"]):
        return False
    if not ((confidence >= 0.0) & (confidence <= 1.0 + _ROUNDING)).all():
        return False
    known = {
        "accuracy": np.sum(is_correct) / key.n_test,
        "invalid_share": row["invalid_rows"] / key.n_test,
        "ece": calibration_error(confidence, is_correct),
        "sharpness": np.mean(confidence) if inside else math.nan,
        "accuracy_valid": np.mean(is_correct) if inside else math.nan,
        # A row outside the domain counts as the worst.
        "brier": ((row["brier_valid"] * inside if inside else 0.0) + WORST_BRIER * row["invalid_rows"]) / key.n_test,
    }
    return all(np.isclose(row[name], value, rtol=0.0, atol=_ROUNDING, equal_nan=True) for name, value in known.items())
