"""The tables that results are made of: their columns, and how each column is held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

#: The mapping that every other one is compared with.
REFERENCE = "softmax"

#: What every study has next to the mappings. Their rows are in `FITS`, `SUMMARY` and the tables of predictions under these
#: labels, never in `COMPARISONS`; they are fitted on the splits of the first repeat.
BASELINES = ("class_frequencies", "logistic_regression", "boosted_trees")
#: One row per mapping or baseline, repeat and fold. A baseline's C, search_seconds and score_scale are NaN.
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
    "skill": "float64",
    "balanced_accuracy": "float64",
    "roc_auc": "float64",
    "average_precision": "float64",
    "search_seconds": "float64",
    "is_cut_short": "bool",
}
SUMMARY = {"mapping": "str", "metric": "str", "mean": "float64", "low": "float64", "high": "float64"}
COMPARISONS = {
    "mapping": "str",
    "versus": "str",
    "metric": "str",
    "difference": "float64",
    "low": "float64",
    "high": "float64",
    # The interval that agrees with Holm’s correction: it excludes zero exactly where p_holm is below 1 − level.
    "low_holm": "float64",
    "high_holm": "float64",
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
#: Two classes only: bins of the probability of the second class, with the share of rows that have it. Columns of `CALIBRATION`.
POSITIVE = {"mapping": "str", "bin": "int64", "n": "int64", "probability": "float64", "share": "float64"}
#: Test rows of all folds by class and predicted class, those that occur; predicted −1 is a row outside the domain.
CONFUSION = {"mapping": "str", "actual": "int64", "predicted": "int64", "count": "int64"}
#: The rows on which softmax and the mapping furthest from it disagree most, one line per row and class. `row` counts the rows
#: of the data from 1, `label` is the true class.
DISAGREEMENTS = {
    "mapping": "str",
    "versus": "str",
    "row": "int64",
    "label": "int64",
    "class": "int64",
    "p": "float64",
    "p_versus": "float64",
}
#: One row per column of the table except the target. `kind`: number, text, category, boolean, date. `use`: feature, group, time,
#: or why it is none: empty, constant, duplicate, row_numbers, dropped (asked for).
COLUMNS = {
    "column": "str",
    "kind": "str",
    "use": "str",
    "encoded": "int64",
    "missing": "int64",
    "distinct": "int64",
    "example": "str",
}
HISTOGRAM = {"mapping": "str", "left": "float64", "right": "float64", "count": "int64"}


def tabulate(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """A table of the given columns and types, with no rows too."""
    return pd.DataFrame(list(rows), columns=list(columns)).astype(columns)
