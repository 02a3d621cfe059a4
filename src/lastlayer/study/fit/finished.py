"""A finished fit, its key, and whether its numbers are plausible for that key."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lastlayer.findings import DESCRIPTIVE, METRICS
from lastlayer.study.fit.bins import calibration_error
from lastlayer.study.fit.metrics import WORST_BRIER
from lastlayer.study.schema import BASELINES, FITS

#: What rounding may add to a number in [0, 1], in float64 and in float32.
_ROUNDING, _ROUNDING_OF_FLOAT32 = 1e-9, 1e-6
#: The range of each column; NaN is allowed where the test rows may all be outside the domain.
_RANGES = {
    **{metric.key: metric.bounds for metric in (METRICS | DESCRIPTIVE).values()},
    "infinite_share": (0.0, 1.0),
    "invalid_share": (0.0, 1.0),
    **{f"{key}_valid": METRICS[key].bounds for key in ("accuracy", "brier", "log_loss")},
    "support_size": (0.0, math.inf),
    "fit_seconds": (0.0, math.inf),
    "search_seconds": (0.0, math.inf),
    "restart_spread": (0.0, math.inf),
    "score_scale": (0.0, math.inf),
    "sharpness": (0.0, 1.0),
}
_MAY_BE_NAN = {"ece", "accuracy_valid", "brier_valid", "log_loss_valid", "support_size", "sharpness"}
#: A test part of one class, or none, has none of these.
_MAY_BE_NAN |= {"skill", "roc_auc", "average_precision"}
#: What a baseline does not have.
_NAN_OF_BASELINES = ("C", "search_seconds", "score_scale")


@dataclass(frozen=True)
class FinishedFit:
    """One fit: its row of `FITS`, and what it says of each test row.

    Attributes:
        confidence: (n_test,) the top probability; NaN outside the mapping's domain.
        predicted: (n_test,) the class that has it; −1 outside the domain.
        is_correct: (n_test,) whether that is the true class.
        probabilities: (n_test, K) float32, NaN outside the domain; None where a study would be too large with them.
    """

    row: dict[str, Any]
    n_encoded: int
    confidence: np.ndarray
    predicted: np.ndarray
    is_correct: np.ndarray
    probabilities: np.ndarray | None = None

    @property
    def inside(self) -> np.ndarray:
        """(n_test,) whether the row is inside the domain."""
        return self.predicted >= 0

    def without_probabilities(self) -> FinishedFit:
        """The same fit in less memory."""
        return replace(self, probabilities=None)


@dataclass(frozen=True)
class FitKey:
    """What identifies a fit: data, settings, code, mapping and split.

    Attributes:
        study: fingerprint of the data, the settings and the code.
        stem: label and fingerprint of the mapping, as file names begin with them.
        mapping: its label, or that of a baseline.
        strengths: the values that C may have.
        n_classes: probabilities of a row that are kept with the fit; 0 where they are not kept.
    """

    study: str
    stem: str
    mapping: str
    repeat: int
    fold: int
    n_train: int
    n_test: int
    strengths: tuple[float, ...]
    n_classes: int = 0

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
    if any(row[name] != getattr(key, name) for name in named):
        return False
    is_baseline = key.mapping in BASELINES
    if is_baseline != math.isnan(row["C"]) or not (is_baseline or row["C"] in key.strengths):
        return False
    may_be_nan = _MAY_BE_NAN.union(_NAN_OF_BASELINES if is_baseline else ())
    in_range = all(
        low - _ROUNDING <= row[name] <= high + _ROUNDING or (name in may_be_nan and math.isnan(row[name]))
        for name, (low, high) in _RANGES.items()
    )
    return in_range and _agrees_with_rows(fit, key) and _agrees_with_probabilities(fit, key)


def _has_kind(value: Any, kind: str) -> bool:
    if kind == "int64":
        return type(value) is int and abs(value) < 2**63
    return type(value) is {"str": str, "bool": bool, "float64": float}[kind]


def _agrees_with_rows(fit: FinishedFit, key: FitKey) -> bool:
    row, inside = fit.row, fit.inside
    if not (len(inside) == len(fit.confidence) == len(fit.is_correct) == key.n_test):
        return False
    n_inside = int(np.sum(inside))
    if not (n_inside == row["ece_rows"] == key.n_test - row["invalid_rows"]) or fit.predicted.min(initial=0) < -1:
        return False
    confidence, is_correct = fit.confidence[inside], fit.is_correct[inside]
    if not ((confidence >= 0.0) & (confidence <= 1.0 + _ROUNDING)).all():
        return False
    if not np.isnan(fit.confidence[~inside]).all() or fit.is_correct[~inside].any():
        return False
    known = {
        "accuracy": np.sum(is_correct) / key.n_test,
        "invalid_share": row["invalid_rows"] / key.n_test,
        "ece": calibration_error(confidence, is_correct),
        "sharpness": np.mean(confidence) if n_inside else math.nan,
        "accuracy_valid": np.mean(is_correct) if n_inside else math.nan,
        # A row outside the domain counts as the worst.
        "brier": ((row["brier_valid"] * n_inside if n_inside else 0.0) + WORST_BRIER * row["invalid_rows"])
        / key.n_test,
    }
    return all(np.isclose(row[name], value, rtol=0.0, atol=_ROUNDING, equal_nan=True) for name, value in known.items())


def _agrees_with_probabilities(fit: FinishedFit, key: FitKey) -> bool:
    p = fit.probabilities
    if p is None:
        return key.n_classes == 0
    if p.shape != (key.n_test, key.n_classes):
        return False
    largest = p[np.arange(key.n_test), np.maximum(fit.predicted, 0)]
    is_close = np.isclose(largest, fit.confidence, rtol=0.0, atol=_ROUNDING_OF_FLOAT32, equal_nan=True)
    return bool(is_close.all() and (fit.predicted < key.n_classes).all())
