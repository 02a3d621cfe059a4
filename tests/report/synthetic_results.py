"""Results of studies that nobody ran: plausible, hostile, or broken in every way that a report must survive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import synthetic_tables as tables
from synthetic_tables import METRICS

from lastlayer.findings import Finding
from lastlayer.study.schema import BASELINES, COMPARISONS, FITS
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


def synthetic_results(
    mappings: Sequence[str] = DEFAULT,
    *,
    n_classes: int = 10,
    folds: int = 5,
    repeats: int = 2,
    dataset: str = "digits",
    target: str | None = None,
    class_names: Sequence[str] | None = None,
    column_names: Sequence[str] = ("age", "city", "id", "country", "age again", "notes", "salary", "patient", "visit"),
    findings: Sequence[Finding] = (),
    seed: int = 0,
    **changes: Any,
) -> StudyResults:
    """Results with a plausible number everywhere; `changes` replaces whole fields."""
    rng = np.random.default_rng(seed)
    names = (*mappings, *BASELINES)
    fits = tables.tabulate((fit for name in names for fit in tables.fit_lines(name, folds, repeats, rng)), FITS)
    summary = pd.DataFrame([line for name in names for line in tables.summary_lines(name, fits)])
    comparisons = pd.DataFrame(
        [line for mapping in mappings if mapping != "softmax" for line in tables.comparison_lines(mapping, fits)],
        columns=list(COMPARISONS),
    )
    if "softmax" not in mappings:
        comparisons = comparisons.iloc[:0]
    counts = tuple(100 + i for i in range(n_classes))
    fields: dict[str, Any] = {
        "dataset": dataset,
        "target": target,
        "n_samples": 1797,
        "n_features": 64,
        "n_encoded_features": 64,
        "n_classes": n_classes,
        "class_names": tuple(class_names or (f"class {i}" for i in range(n_classes))),
        "class_counts": counts,
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
        "calibration": pd.DataFrame([line for name in names for line in tables.calibration_lines(name, rng)]),
        "histogram": pd.DataFrame([line for name in names for line in tables.histogram_lines(name)]),
        "confusion": tables.confusion_table(names, counts, repeats),
        "columns": tables.column_table(column_names),
        "command": "lastlayer study digits",
        "started": "2026-01-31 12:00",
        "seconds": 83.4,
        "findings": (Finding("mapping_left_out", "softmax_plus_one"), *findings),
    }
    if n_classes == 2:
        fields["positive"] = tables.positive_table(names, rng)
    if len(mappings) > 1 and "softmax" in mappings:
        fields["disagreements"] = tables.disagreement_table(mappings[1], n_classes)
    fields |= changes
    if "decision" not in fields:
        fields["decision"] = synthetic_decision(fields["comparisons"], fields["summary"])
    return StudyResults(**fields)


def synthetic_decision(comparisons: pd.DataFrame, summary: pd.DataFrame) -> Finding:
    """The decision that follows from the comparisons: the best of those that are better, or softmax."""
    brier = summary[summary["metric"] == "brier"].set_index("mapping")["mean"]
    lines = comparisons[comparisons["metric"] == "brier"].set_index("mapping")
    if lines.empty:
        return Finding("nothing_compared")
    differs = lines["verdict"] == "differs"
    sides = {
        "better": lines[differs & (lines["difference"] < 0)],
        "worse": lines[differs & (lines["difference"] > 0)],
        "equal": lines[lines["verdict"] == "equal"],
        "unclear": lines[lines["verdict"] == "cannot be told apart"],
        "not_comparable": lines[lines["verdict"] == "not comparable"],
    }
    facts: dict[str, Any] = {side: list(found.sort_values("difference").index) for side, found in sides.items()}
    unclear = sides["unclear"]["detectable"]
    trees = float(brier["boosted_trees"])
    facts |= {
        "C": 3.1622776601683795,
        "detectable": None if unclear.empty else float(unclear.median()),
        "metric": "brier",
        "baselines": {name: float(brier[name]) for name in BASELINES},
        "reference": float(brier["softmax"]),
        "trees_gain": float(brier["softmax"]) - trees,
        "trees_low": float(brier["softmax"]) - trees - 0.004,
        "trees_high": float(brier["softmax"]) - trees + 0.004,
        "skill": 0.925,
        "skill_low": 0.91,
        "skill_high": 0.94,
    }
    if not facts["better"]:
        return Finding("keep_reference", "softmax", facts)
    best = lines.loc[facts["better"][0]]
    ends = {name: float(best[name]) for name in ("difference", "low", "high")}
    return Finding("adopt", facts["better"][0], facts | ends)


def hostile_results() -> StudyResults:
    """Every text that comes from data is an attack or a nuisance."""
    mappings = ("softmax", *HOSTILE)
    return synthetic_results(
        mappings,
        n_classes=len(HOSTILE),
        dataset=HOSTILE[0] + HOSTILE[3] + SURROGATE,
        target=HOSTILE[2],
        class_names=HOSTILE,
        column_names=HOSTILE,
        command=f"lastlayer study {HOSTILE[2]} --target '{HOSTILE[7]}'",
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
