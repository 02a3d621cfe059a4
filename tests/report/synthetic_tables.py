"""The tables of a synthetic study: one maker of lines per table of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import DESCRIPTIVE
from lastlayer.study.schema import BASELINES, COLUMNS, CONFUSION, DISAGREEMENTS, POSITIVE, tabulate

METRICS = ("accuracy", "brier", "log_loss", "ece")
#: How each mapping behaves: shifts of accuracy, Brier, log loss, ECE; score scale; sharpness.
CHARACTER: dict[str, tuple[float, float, float, float, float, float]] = {
    "softmax": (0.0, 0.0, 0.0, 0.0, 5.1, 0.955),
    "ratio": (-0.032, 0.155, 0.46, 0.29, 0.11, 0.62),
    "spherical": (-0.008, 0.012, 0.04, 0.01, 0.61, 0.93),
    "taylor": (0.003, -0.006, -0.012, -0.002, 3.3, 0.951),
    "softplus_ratio": (0.001, 0.004, 0.02, 0.012, 7.9, 0.93),
    "sigmoid_ratio": (0.001, 0.001, 0.001, 0.001, 5.9, 0.952),
    "stablemax": (-0.001, 0.02, 0.09, 0.05, 19.0, 0.9),
    "hardmax": (-0.012, 0.06, np.inf, 0.035, 0.9, 1.0),
    "sparsemax": (0.002, -0.001, np.inf, 0.006, 1.2, 0.972),
    "entmax": (0.003, -0.003, np.inf, 0.003, 2.2, 0.963),
    "class_frequencies": (-0.85, 0.83, 2.16, -0.005, np.nan, 0.102),
    "logistic_regression": (0.0, -0.004, -0.02, 0.004, np.nan, 0.95),
    "boosted_trees": (0.012, -0.021, -0.04, 0.003, np.nan, 0.98),
}


def character(mapping: str) -> tuple[float, float, float, float, float, float]:
    """How a mapping behaves; an unknown one as its name says."""
    name = mapping.split(":")[0]
    if name in CHARACTER:
        return CHARACTER[name]
    jitter = (sum(map(ord, mapping[:50])) % 17) / 1000
    return (-jitter, jitter, 2 * jitter, jitter, 1 + 100 * jitter, 0.9 - jitter)


def fit_lines(mapping: str, folds: int, repeats: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Lines of `FITS`; a baseline is fitted on the first repeat alone."""
    accuracy, brier, log_loss, ece, scale, sharpness = character(mapping)
    is_baseline = mapping in BASELINES
    shared = np.random.default_rng(99)
    rows = []
    for repeat in range(1 if is_baseline else repeats):
        for fold in range(folds):
            luck, own = 0.008 * shared.standard_normal(), 0.0015 * rng.standard_normal()
            invalid = int(7 + 3 * rng.random()) if mapping.startswith("ratio") else 0
            rows.append(
                {
                    "mapping": mapping,
                    "repeat": repeat,
                    "fold": fold,
                    "n_train": 1437,
                    "n_test": 360,
                    "C": np.nan if is_baseline else float(10.0 ** rng.integers(-1, 2)),
                    "C_at_edge": mapping.startswith("hardmax") and fold == 0,
                    "accuracy": min(1.0, 0.958 + accuracy + luck + own),
                    "brier": max(0.0, 0.067 + brier - 1.4 * luck - own),
                    "log_loss": max(0.0, 0.141 + log_loss - 3 * luck - 2 * own),
                    "ece": max(0.0, 0.017 + ece + abs(own)),
                    "infinite_share": 0.031 if np.isinf(log_loss) else 0.0,
                    "invalid_share": invalid / 360,
                    "invalid_rows": invalid,
                    "accuracy_valid": min(1.0, 0.96 + accuracy + luck),
                    "brier_valid": max(0.0, 0.06 + brier - luck),
                    "log_loss_valid": max(0.0, 0.13 + log_loss),
                    "ece_rows": 360 - invalid,
                    "support_size": 1.0 if mapping.startswith("hardmax") else 10.0,
                    "fit_seconds": 0.2 + 0.1 * rng.random(),
                    "converged": True,
                    "n_iter": 40,
                    "restart_spread": 0.0,
                    "score_scale": scale * (1 + 0.1 * rng.standard_normal()),
                    "sharpness": min(1.0, sharpness + 0.004 * rng.standard_normal()),
                    "skill": 1.0 - max(0.0, 0.067 + brier - 1.4 * luck - own) / 0.897,
                    "balanced_accuracy": min(1.0, 0.957 + accuracy + luck + own),
                    "roc_auc": 0.5 if mapping == "class_frequencies" else min(1.0, 0.995 + accuracy / 2 + luck / 4),
                    "average_precision": 0.1
                    if mapping == "class_frequencies"
                    else min(1.0, 0.985 + accuracy + luck / 3),
                    "search_seconds": np.nan if is_baseline else 1.0 + rng.random(),
                    "is_cut_short": mapping.startswith("spherical") and fold == 1,
                }
            )
    return rows


def _half_width(values: np.ndarray[Any, Any]) -> float:
    """The corrected t's half-width at 9 degrees of freedom; enough like the real one to look at."""
    return float(2.26 * np.std(values, ddof=1) * np.sqrt(1 / len(values) + 0.25))


def summary_lines(mapping: str, fits: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines of `SUMMARY`."""
    rows = []
    for metric in (*METRICS, *DESCRIPTIVE):
        values = fits.loc[fits["mapping"] == mapping, metric].to_numpy(float)
        mean = float(values.mean())
        half = _half_width(values) if np.isfinite(mean) else np.nan
        low, high = mean - half, mean + half
        if metric not in ("brier", "log_loss", "ece"):
            high = min(high, 1.0)
        if metric != "skill":
            low = max(0.0, low)
        rows.append({"mapping": mapping, "metric": metric, "mean": mean, "low": low, "high": high})
    return rows


def comparison_lines(mapping: str, fits: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines of `COMPARISONS`."""
    rows = []
    for metric in METRICS:
        own = fits.loc[fits["mapping"] == mapping, metric].to_numpy(float)
        softmax = fits.loc[fits["mapping"] == "softmax", metric].to_numpy(float)
        line: dict[str, Any] = {"mapping": mapping, "versus": "softmax", "metric": metric}
        line |= {"margin": 0.01, "n_comparisons": 9, "infinite_share": float(np.isinf(own).any()) * 0.031}
        line |= {"is_significant": False, "infinite_share_versus": 0.0}
        if not len(softmax) or not np.isfinite(own).all():
            nothing = dict.fromkeys(("low", "high", "low_holm", "high_holm", "p", "p_holm", "detectable"), np.nan)
            rows.append(line | nothing | {"difference": np.inf, "verdict": "not comparable"})
            continue
        difference = own - softmax
        mean, half = float(difference.mean()), _half_width(difference)
        differs, equal = abs(mean) > 1.4 * half, abs(mean) + half < 0.01
        rows.append(
            line
            | {"low_holm": mean - 1.3 * half, "high_holm": mean + 1.3 * half}
            | {"difference": mean, "low": mean - half, "high": mean + half, "p": 0.001 if differs else 0.3}
            | {"p_holm": 0.0004 if differs else 0.41, "detectable": 1.4 * half, "is_significant": differs}
            | {"verdict": "equal" if equal else "differs" if differs else "cannot be told apart"}
        )
    return rows


def calibration_lines(mapping: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Lines of `CALIBRATION`."""
    sharpness = character(mapping)[5]
    confidence = np.sort(1 - (1 - sharpness) * 1.9 * np.linspace(1, 0.01, 15) ** 2).clip(0.05, 1)
    bent = np.clip(confidence + (0.958 - sharpness) * 0.9 + 0.01 * rng.standard_normal(15), 0, 1)
    return [
        {"mapping": mapping, "bin": i, "n": 239 + i % 2, "confidence": float(c), "accuracy": float(a)}
        for i, (c, a) in enumerate(zip(confidence, bent, strict=True))
    ]


def positive_table(mappings: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """`POSITIVE`, for two classes."""
    probability = np.linspace(0.02, 0.97, 15)
    return tabulate(
        (
            {"mapping": mapping, "bin": i, "n": 240, "probability": float(p), "share": float(np.clip(p + bend, 0, 1))}
            for mapping in mappings
            for i, (p, bend) in enumerate(zip(probability, 0.04 * rng.standard_normal(15), strict=True))
        ),
        POSITIVE,
    )


def histogram_lines(mapping: str) -> list[dict[str, Any]]:
    """Lines of `HISTOGRAM`."""
    sharpness = character(mapping)[5]
    centres = np.linspace(0.025, 0.975, 20)
    weights = np.exp(-0.5 * ((centres - sharpness) / 0.1) ** 2)
    counts = np.round(3594 * weights / weights.sum()).astype(int)
    return [
        {"mapping": mapping, "left": i / 20, "right": (i + 1) / 20, "count": int(count)}
        for i, count in enumerate(counts)
    ]


def confusion_table(mappings: Sequence[str], counts: Sequence[int], repeats: int) -> pd.DataFrame:
    """`CONFUSION`: nine of ten rows of a class are right, the others are called the next class; the ratio refuses one."""
    lines = []
    for mapping in mappings:
        times = 1 if mapping in BASELINES else repeats
        for actual, n in enumerate(counts):
            wrong, outside = max(n // 10, 1), int(mapping.startswith("ratio"))
            cells = {actual: n - wrong, (actual + 1) % len(counts): wrong - outside, -1: outside}
            lines += [
                {"mapping": mapping, "actual": actual, "predicted": predicted, "count": times * count}
                for predicted, count in cells.items()
                if count
            ]
    return tabulate(lines, CONFUSION)


def disagreement_table(mapping: str, n_classes: int) -> pd.DataFrame:
    """`DISAGREEMENTS`: three rows, on which the mapping spreads out and softmax is sure."""
    lines = []
    for row in (17, 404, 1203):
        versus = np.full(n_classes, 0.02 / max(n_classes - 1, 1))
        versus[row % n_classes] = 0.98
        own = np.full(n_classes, 1 / n_classes)
        lines += [
            {
                "mapping": mapping,
                "versus": "softmax",
                "row": row,
                "label": (row + (row == 404)) % n_classes,
                "class": k,
                "p": float(own[k]),
                "p_versus": float(versus[k]),
            }
            for k in range(n_classes)
        ]
    return tabulate(lines, DISAGREEMENTS)


def column_table(names: Sequence[str]) -> pd.DataFrame:
    """`COLUMNS`: numbers, texts, and columns of every use."""
    uses = ("feature", "feature", "row_numbers", "constant", "duplicate", "empty", "dropped", "group", "time")
    kinds = ("number", "text", "category", "boolean", "date")
    return tabulate(
        (
            {
                "column": name,
                "kind": kinds[i % len(kinds)],
                "use": uses[i % len(uses)],
                "encoded": (1, 30)[i % 2] if uses[i % len(uses)] == "feature" else 0,
                "missing": 12 * (i % 3),
                "distinct": 100 + i,
                "example": ("5.1", "a red house", "true", "2026-01-31", "7")[i % 5],
            }
            for i, name in enumerate(names)
        ),
        COLUMNS,
    )
