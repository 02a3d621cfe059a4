"""Results of studies that nobody ran: plausible, hostile, or broken in every way that a report must survive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.schema import COMPARISONS
from lastlayer.study.settings import StudySettings
from lastlayer.study.storage.results import StudyResults

DEFAULT = (
    "softmax",
    "ratio",
    "spherical",
    "taylor",
    "softplus_ratio",
    "sigmoid_ratio",
    "stablemax",
    "hardmax",
    "sparsemax",
    "entmax",
)
HOSTILE = (
    "<script>alert(1)</script>",
    "a & b \"quoted\" 'single'",
    "</title></style></svg><img src=x onerror=alert(2)>",
    "שלום עולם: \u202etxt.exe",
    "x" * 3000,
    "javascript:alert(3)",
    "{{ 7 * 7 }} {% raw %}",
    "nul\x00 bell\x07 escape\x1b[31m",
)
#: A data frame cannot hold it, a file's name can.
SURROGATE = "lone \ud800 surrogate"
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
}


def synthetic_results(
    mappings: Sequence[str] = DEFAULT,
    *,
    n_classes: int = 10,
    folds: int = 5,
    repeats: int = 2,
    dataset: str = "digits",
    target: str | None = None,
    class_names: Sequence[str] | None = None,
    findings: Sequence[Finding] = (),
    seed: int = 0,
    **changes: Any,
) -> StudyResults:
    """Results with a plausible number everywhere; `changes` replaces whole fields."""
    rng = np.random.default_rng(seed)
    fits = pd.DataFrame([fit for mapping in mappings for fit in _fits(mapping, folds, repeats, rng)])
    summary = pd.DataFrame([line for mapping in mappings for line in _summary(mapping, fits)])
    comparisons = pd.DataFrame(
        [line for mapping in mappings if mapping != "softmax" for line in _comparisons(mapping, fits)],
        columns=list(COMPARISONS),
    )
    if "softmax" not in mappings:
        comparisons = comparisons.iloc[:0]
    fields: dict[str, Any] = {
        "dataset": dataset,
        "target": target,
        "n_samples": 1797,
        "n_features": 64,
        "n_encoded_features": 64,
        "n_classes": n_classes,
        "class_names": tuple(class_names or (f"class {i}" for i in range(n_classes))),
        "class_counts": tuple(100 + i for i in range(n_classes)),
        "settings": StudySettings(
            mappings=tuple(mappings),
            folds=folds,
            repeats=repeats,
            seed=seed,
            C=None,
            grid=(1e-4, 1e-2, 1.0, 100.0, 1e4),
            margin={"accuracy": 0.01, "brier": 0.01, "log_loss": 0.02, "ece": 0.01},
            level=0.95,
            jobs=1,
        ),
        "fits": fits,
        "summary": summary,
        "comparisons": comparisons,
        "calibration": pd.DataFrame([line for mapping in mappings for line in _calibration(mapping, rng)]),
        "histogram": pd.DataFrame([line for mapping in mappings for line in _histogram(mapping)]),
        "findings": (Finding("mapping_left_out", "softmax_plus_one"), *findings),
    }
    return StudyResults(**(fields | changes))


def hostile_results() -> StudyResults:
    """Every text that comes from data is an attack or a nuisance."""
    mappings = ("softmax", *HOSTILE)
    return synthetic_results(
        mappings,
        n_classes=len(HOSTILE),
        dataset=HOSTILE[0] + HOSTILE[3] + SURROGATE,
        target=HOSTILE[2],
        class_names=HOSTILE,
        findings=[finding for text in (*HOSTILE, SURROGATE) for finding in _hostile_findings(text)],
    )


def _hostile_findings(text: str) -> list[Finding]:
    """Findings all of whose texts are `text`, as it may come from a file or from somebody's code."""
    return [
        Finding("row_numbers_left_out", facts={"file": text}),
        Finding("rows_without_target", facts={"column": text, "rows": 1, "of": 9}),
        Finding("missing_words_as_classes", facts={"column": text, "classes": [[text, 2]]}),
        Finding("classes_alike", facts={"column": text, "groups": [[text, text]]}),
        Finding("numbers_stored_as_text", facts={"column": text, "file": text, "numbers": 3}),
        Finding("fit_failed", text, {"reason": text}),
        Finding("training_note", text, {"note": text}),
        Finding("not_converged", text, {"fits": 1, "of": 3}),
    ]


def all_invalid_results() -> StudyResults:
    """The ratio accepted no row at all; intervals are missing for one mapping, and everything for another."""
    results = synthetic_results(("softmax", "ratio", "taylor", "entmax"))
    fits, summary = results.fits.copy(), results.summary.copy()
    ratio = fits["mapping"] == "ratio"
    fits.loc[ratio, ["accuracy_valid", "brier_valid", "log_loss_valid", "ece", "score_scale", "sharpness"]] = np.nan
    fits.loc[ratio, ["invalid_share", "infinite_share"]] = 1.0
    fits.loc[ratio, "invalid_rows"] = fits.loc[ratio, "n_test"]
    summary.loc[(summary["mapping"] == "ratio") & (summary["metric"] == "log_loss"), ["mean", "low", "high"]] = [
        np.inf,
        np.nan,
        np.nan,
    ]
    summary.loc[(summary["mapping"] == "ratio") & (summary["metric"] == "ece"), ["mean", "low", "high"]] = np.nan
    summary.loc[summary["mapping"] == "taylor", ["low", "high"]] = np.nan
    summary.loc[summary["mapping"] == "entmax", ["mean", "low", "high"]] = np.nan
    fits.loc[fits["mapping"] == "entmax", list(METRICS)] = np.nan
    keep = ~results.calibration["mapping"].isin(["ratio", "entmax"])
    histogram = results.histogram.copy()
    histogram.loc[histogram["mapping"].isin(["ratio", "entmax"]), "count"] = 0
    return synthetic_results(
        ("softmax", "ratio", "taylor", "entmax"),
        fits=fits,
        summary=summary,
        calibration=results.calibration[keep],
        histogram=histogram,
    )


def _character(mapping: str) -> tuple[float, float, float, float, float, float]:
    name = mapping.split(":")[0]
    if name in CHARACTER:
        return CHARACTER[name]
    jitter = (sum(map(ord, mapping[:50])) % 17) / 1000
    return (-jitter, jitter, 2 * jitter, jitter, 1 + 100 * jitter, 0.9 - jitter)


def _fits(mapping: str, folds: int, repeats: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    accuracy, brier, log_loss, ece, scale, sharpness = _character(mapping)
    shared = np.random.default_rng(99)
    rows = []
    for repeat in range(repeats):
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
                    "C": float(10.0 ** rng.integers(-1, 2)),
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
                }
            )
    return rows


def _half_width(values: np.ndarray[Any, Any]) -> float:
    """The corrected t's half-width at 9 degrees of freedom; enough like the real one to look at."""
    return float(2.26 * np.std(values, ddof=1) * np.sqrt(1 / len(values) + 0.25))


def _summary(mapping: str, fits: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for metric in METRICS:
        values = fits.loc[fits["mapping"] == mapping, metric].to_numpy(float)
        mean = float(values.mean())
        half = _half_width(values) if np.isfinite(mean) else np.nan
        low, high = mean - half, mean + half
        if metric == "accuracy":
            high = min(high, 1.0)
        rows.append({"mapping": mapping, "metric": metric, "mean": mean, "low": max(0.0, low), "high": high})
    return rows


def _comparisons(mapping: str, fits: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for metric in METRICS:
        own = fits.loc[fits["mapping"] == mapping, metric].to_numpy(float)
        softmax = fits.loc[fits["mapping"] == "softmax", metric].to_numpy(float)
        line: dict[str, Any] = {"mapping": mapping, "versus": "softmax", "metric": metric}
        line |= {"margin": 0.01, "n_comparisons": 9, "infinite_share": float(np.isinf(own).any()) * 0.031}
        line |= {"is_significant": False, "infinite_share_versus": 0.0}
        if not len(softmax) or not np.isfinite(own).all():
            rows.append(
                line
                | {
                    "difference": np.inf,
                    "low": np.nan,
                    "high": np.nan,
                    "low_holm": np.nan,
                    "high_holm": np.nan,
                    "p": np.nan,
                    "p_holm": np.nan,
                }
                | {"detectable": np.nan, "verdict": "not comparable"}
            )
            continue
        difference = own - softmax
        mean, half = float(difference.mean()), _half_width(difference)
        differs, equal = abs(mean) > 1.4 * half, abs(mean) + half < 0.01
        rows.append(
            line
            | {"low_holm": mean - 1.3 * half, "high_holm": mean + 1.3 * half}
            | {"difference": mean, "low": mean - half, "high": mean + half, "p": 0.001 if differs else 0.3}
            | {"p_holm": 0.0004 if differs else 0.41, "detectable": 1.4 * half, "is_significant": differs}
            | {"verdict": "differs" if differs else "equal" if equal else "cannot be told apart"}
        )
    return rows


def _calibration(mapping: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    sharpness = _character(mapping)[5]
    confidence = np.sort(1 - (1 - sharpness) * 1.9 * np.linspace(1, 0.01, 15) ** 2)
    bent = np.clip(confidence + (0.958 - sharpness) * 0.9 + 0.01 * rng.standard_normal(15), 0, 1)
    return [
        {"mapping": mapping, "bin": i, "n": 239 + i % 2, "confidence": float(c), "accuracy": float(a)}
        for i, (c, a) in enumerate(zip(confidence, bent, strict=True))
    ]


def _histogram(mapping: str) -> list[dict[str, Any]]:
    sharpness = _character(mapping)[5]
    centres = np.linspace(0.025, 0.975, 20)
    weights = np.exp(-0.5 * ((centres - sharpness) / 0.1) ** 2)
    counts = np.round(3594 * weights / weights.sum()).astype(int)
    return [
        {"mapping": mapping, "left": i / 20, "right": (i + 1) / 20, "count": int(count)}
        for i, count in enumerate(counts)
    ]
