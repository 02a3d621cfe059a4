"""Evaluations that nobody ran: plausible, hostile, or extreme in every way that a report must survive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from synthetic_results import HOSTILE, SURROGATE

from lastlayer.calibration import Calibrator
from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.intervals import Estimate
from lastlayer.evaluation.result import MapResult, Measure
from lastlayer.findings import Finding

LONG = (
    "Iris-setosa from the northern province",
    "an extraordinarily long class name with blanks",
    "AnExtraordinarilyLongClassNameWithoutBlanks",
    "γ-ray burst (unclassified)",
    "other",
    "unknown / not recorded",
    "Z",
)
#: Every code of an evaluation's findings, with facts as the evaluation makes them.
FINDINGS = (
    Finding("probabilities", "", {"rows": 1000, "classes": 10}),
    Finding("sigmoids", "", {"rows": 1000, "low_sum": 0.31, "high_sum": 4.2}),
    Finding(
        "rows_do_not_sum_to_one",
        "",
        {"rows": 12, "of": 1000, "row": 17, "sum": 0.9912, "largest_error": 0.0088, "decimals": 2},
    ),
    Finding("zero_probability", "", {"entries": 1204, "rows": 300, "label_rows": 12, "row": 5}),
    Finding("nan_rows", "", {"rows": 3, "row": 17}),
    Finding("rows_without_label", "", {"rows": 1}),
    Finding(
        "labels_off_by_one",
        "",
        {
            "least": 0,
            "most": 9,
            "classes": 10,
            "read_as": "",
            "shift": -1,
            "accuracy": 0.031,
            "shifted_accuracy": 0.912,
        },
    ),
    Finding("labels_sorted", "", {"classes": ["bird", "cat", "dog"]}),
    Finding("columns_left_out", "", {"columns": ["id", "label"]}),
    Finding("class_absent", "", {"classes": ["bird", "cat"], "more": 5}),
    Finding("few_rows", "", {"rows": 60, "classes": 10}),
    Finding(
        "double_softmax", "", {"rows": 1000, "log_loss": 1.93, "undone_log_loss": 0.31, "are_probabilities": False}
    ),
    Finding("below_chance", "", {"accuracy": 0.021, "chance": 0.12, "p": 1e-9, "permuted_accuracy": 0.88}),
    Finding("temperature_unbounded", "", {"rows": 1000, "of": 1000}),
    Finding("no_information", "", {"reason": "opposed"}),
)
LEFT_OUT = (
    Finding("map_too_large", "matrix", {"entries": 50000000, "limit": 30000}),
    Finding("map_without_effect", "temperature", {}),
    Finding("map_same_as", "mymapping", {"other": "temperature"}),
    Finding("map_unbounded", "vector", {"reason": "separable_in_a_fold"}),
    Finding("map_infinite_scores", "vector", {}),
    Finding("map_few_rows", "temperature_prior", {"parameters": 11, "rows": 60}),
)
#: How much each map lowers the log loss.
_GAINS = {"none": 0.0, "temperature": 0.042, "temperature_prior": 0.0425, "vector": 0.0431, "matrix": -0.012}


def synthetic_evaluation(
    *,
    n_classes: int = 10,
    n_rows: int = 2000,
    verdict: str = "overconfident",
    advised: str = "temperature",
    class_names: Sequence[str] | None = None,
    findings: Sequence[Finding] = (),
    left_out: Sequence[Finding] = (),
    maps: Sequence[str] = ("none", "temperature", "temperature_prior", "vector", "matrix", "sparsemax", "entmax"),
    is_infinite: bool = False,
    **changes: Any,
) -> Evaluation:
    """An evaluation with a plausible number everywhere; `changes` replaces whole fields."""
    rng = np.random.default_rng(0)
    names = tuple(class_names or (f"class {k}" for k in range(n_classes)))
    counts = tuple(int(n) for n in rng.multinomial(n_rows, np.full(n_classes, 1 / n_classes)))
    before = math.inf if is_infinite else 0.512
    ladder = tuple(_rung(name, before, n_classes, n_rows, name == advised, i) for i, name in enumerate(maps))
    ece = 0.011 if verdict == "calibrated" else 0.083
    best = min(ladder, key=lambda found: found.log_loss.value)
    chosen = next(found for found in ladder if found.adopted)
    difference = chosen.difference
    facts = {"log_loss": before, "verdict": verdict}
    if advised != "none":
        facts = {
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
            "log_loss": chosen.log_loss.value,
            "before": before,
            "ece_before": ece,
            "ece_after": 0.012,
            "degrees_of_freedom": chosen.degrees_of_freedom,
            "best": best.name,
            "n_better": 3,
        }
    part = Estimate(math.inf, math.nan, math.nan) if is_infinite else Estimate(0.0431, 0.035, 0.051)
    fields: dict[str, Any] = {
        "source": "validation-scores.npy",
        "n_rows": n_rows,
        "n_left_out": 4,
        "n_classes_": n_classes,
        "kind": "scores",
        "mapping": "softmax",
        "class_names": names,
        "class_counts": counts,
        "findings": tuple(findings),
        "metrics": _metrics(before, n_classes, ece),
        "verdict": verdict,
        "confidence_gap": Estimate(0.081, 0.071, 0.091),
        "calibration_part": part if advised != "none" else Estimate(0.0003, -0.001, 0.0015),
        "remaining": Estimate(0.4695, 0.44, 0.499),
        "maps": ladder,
        "left_out": tuple(left_out),
        "advice": Finding("advise_none" if advised == "none" else "advise_map", advised, facts),
        "reliability": _bins(verdict, n_rows),
        "reliability_after": () if advised == "none" else _bins("calibrated", n_rows),
        "classes": tuple(_class(k, counts[k], rng) for k in range(n_classes)),
        "confusions": _confusions(n_classes),
        "folds": 5,
        "command": "lastlayer evaluate validation-scores.npy --labels labels.npy",
        "started": "2026-01-31 12:00",
        "seconds": 3.4,
    }
    del fields["n_classes_"]
    return Evaluation(**(fields | changes))


def _metrics(before: float, n_classes: int, ece: float) -> dict[str, Measure]:
    top5 = {"top5": Measure(0.981, 0.975, 0.986)} if n_classes > 5 else {}
    return {
        "log_loss": Measure(before, before - 0.031, before + 0.031, frequencies=math.log(n_classes)),
        "brier": Measure(0.2712, 0.2581, 0.2843, frequencies=1 - 1 / n_classes),
        "accuracy": Measure(0.8212, 0.8043, 0.8371, frequencies=1 / n_classes),
        **top5,
        "ece": Measure(ece, ece - 0.012, ece + 0.013, plain=ece + 0.01, if_calibrated=(0.0, 0.0142)),
        "classwise_ece": Measure(0.0212, 0.0181, 0.0251, plain=0.024, if_calibrated=(0.0, 0.0131)),
    }


def _rung(name: str, before: float, n_classes: int, n_rows: int, is_adopted: bool, i: int) -> MapResult:
    gain = _GAINS.get(name, 0.02 * (i % 3 - 1))
    loss = 0.512 - gain if name != "none" else before
    size = {"vector": {"weight": np.ones(n_classes)}, "matrix": {"matrix": np.eye(n_classes)}}.get(name, {})
    bias = np.zeros(n_classes) if name in ("temperature_prior", "vector", "matrix") else None
    temperature = 1.8312345 if not size and name != "none" else 1.0
    label = "entmax:alpha=1.31234" if name == "entmax" else name if name == "sparsemax" else "softmax"
    calibrator = Calibrator(name, label, n_classes, temperature=temperature, bias=bias, **size)
    difference = Estimate(-gain, -gain - 0.008, -gain + 0.008) if name != "none" else Estimate(0.0, 0.0, 0.0)
    if math.isinf(before) and name != "none":
        difference = Estimate(-math.inf, math.nan, math.nan)
    return MapResult(
        calibrator=calibrator,
        log_loss=Estimate(loss, loss - 0.03, loss + 0.03),
        brier=Estimate(0.2712 - gain / 3, 0.25, 0.29),
        difference=difference,
        versus_best=Estimate(0.001, -0.001, 0.003),
        ece=0.083 - 1.5 * gain,
        degrees_of_freedom={
            "none": 0,
            "temperature": 1,
            "vector": 2 * n_classes,
            "matrix": n_classes * (n_classes + 1),
        }.get(name, 2),
        n_fitted=n_rows,
        interval=Estimate(1.8312345, 1.71, 1.96) if temperature != 1.0 else None,
        adopted=is_adopted,
    )


def _bins(verdict: str, n_rows: int) -> tuple[dict[str, float], ...]:
    """Bins of equal mass, off by what the verdict says, and one of p = 1."""
    bend = {"overconfident": -0.12, "underconfident": 0.05, "calibrated": 0.0, "miscalibrated": 0.1}[verdict]
    said = [0.34, 0.46, 0.55, 0.63, 0.71, 0.78, 0.84, 0.9, 0.95, 0.98]
    found = []
    for i, confidence in enumerate(said):
        off = bend * (1 if verdict != "miscalibrated" or i < 5 else -1)
        accuracy = min(confidence + off + 0.004 * (-1) ** i, 1.0)
        found.append(_bin(confidence, accuracy, n_rows / 11))
    return (*found, _bin(1.0, min(1.0 + bend, 1.0), n_rows / 11))


def _bin(confidence: float, accuracy: float, n: float) -> dict[str, float]:
    reach = 1.96 * math.sqrt(confidence * (1 - confidence) / n)
    low, high = max(0.0, confidence - reach), min(1.0, confidence + reach)
    return {"n": int(n), "confidence": confidence, "accuracy": accuracy, "low": low, "high": high}


def _class(k: int, rows: int, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "class": k,
        "rows": rows,
        "predicted": rows + 3,
        "recall": float(rng.uniform(0.5, 1.0)) if rows else math.nan,
        "precision": float(rng.uniform(0.5, 1.0)),
        "mean_probability": float(rng.uniform(0.0, 0.2)),
        "ece": float(rng.uniform(0.0, 0.05)),
    }


def _confusions(n_classes: int) -> tuple[dict[str, Any], ...]:
    pairs = [(k, (k + 1) % n_classes) for k in range(min(n_classes, 20))]
    return tuple({"actual": a, "predicted": b, "count": 60 - a, "share": (60 - a) / 200} for a, b in pairs)


def hostile_evaluation() -> Evaluation:
    """Every text that comes from data is an attack or a nuisance."""
    names = [*HOSTILE, SURROGATE]
    return synthetic_evaluation(
        n_classes=len(names),
        class_names=names,
        source=HOSTILE[0] + HOSTILE[3] + SURROGATE,
        fit_source=HOSTILE[2],
        n_fit_rows=300,
        folds=None,
        command=f"lastlayer evaluate {HOSTILE[2]} --labels '{HOSTILE[7]}'",
        findings=[Finding("class_absent", "", {"classes": names, "more": 0})],
        left_out=[Finding("map_unbounded", HOSTILE[0], {"reason": "separable"})],
    )


def infinite_evaluation() -> Evaluation:
    """Probabilities with zeros for true classes: the log loss and all differences are infinite."""
    finding = Finding("zero_probability", "", {"entries": 1204, "rows": 300, "label_rows": 12, "row": 5})
    return synthetic_evaluation(is_infinite=True, kind="probabilities", findings=[finding])


#: Cases that every form of the report must survive.
CASES = {
    "default": synthetic_evaluation,
    "calibrated": lambda: synthetic_evaluation(verdict="calibrated", advised="none"),
    "two classes": lambda: synthetic_evaluation(n_classes=2, class_names=("no", "yes"), verdict="underconfident"),
    "a thousand classes": lambda: synthetic_evaluation(n_classes=1000, n_rows=50000, verdict="miscalibrated"),
    "long names": lambda: synthetic_evaluation(n_classes=7, class_names=LONG),
    "many findings": lambda: synthetic_evaluation(findings=FINDINGS, left_out=LEFT_OUT),
    "infinite": infinite_evaluation,
    "hostile": hostile_evaluation,
    "the model alone": lambda: synthetic_evaluation(
        maps=("none",), advised="none", reliability=(), classes=(), confusions=(), left_out=LEFT_OUT
    ),
}
