"""The tables that results are made of: their columns, and how each column is held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

#: The mapping that every other one is compared with.
REFERENCE = "softmax"

#: One row per mapping, repeat and fold.
FITS = {
    "mapping": "str",
    "repeat": "int64",
    "fold": "int64",
    "n_train": "int64",
    "n_test": "int64",
    "C": "float64",
    "C_at_edge": "bool",
    "accuracy": "float64",
    "brier": "float64",
    "log_loss": "float64",
    "ece": "float64",
    "infinite_share": "float64",
    "invalid_share": "float64",
    "invalid_rows": "int64",
    "accuracy_valid": "float64",
    "brier_valid": "float64",
    "log_loss_valid": "float64",
    "ece_rows": "int64",
    "support_size": "float64",
    "fit_seconds": "float64",
    "converged": "bool",
    "n_iter": "int64",
    "restart_spread": "float64",
    "score_scale": "float64",
    "sharpness": "float64",
}
SUMMARY = {"mapping": "str", "metric": "str", "mean": "float64", "low": "float64", "high": "float64"}
COMPARISONS = {
    "mapping": "str",
    "versus": "str",
    "metric": "str",
    "difference": "float64",
    "low": "float64",
    "high": "float64",
    "p": "float64",
    "p_holm": "float64",
    "detectable": "float64",
    "verdict": "str",
    "is_significant": "bool",
    "margin": "float64",
    "n_comparisons": "int64",
    "infinite_share": "float64",
    "infinite_share_versus": "float64",
}
CALIBRATION = {"mapping": "str", "bin": "int64", "n": "int64", "confidence": "float64", "accuracy": "float64"}
HISTOGRAM = {"mapping": "str", "left": "float64", "right": "float64", "count": "int64"}


def tabulate(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """A table of the given columns and types, with no rows too."""
    return pd.DataFrame(list(rows), columns=list(columns)).astype(columns)
