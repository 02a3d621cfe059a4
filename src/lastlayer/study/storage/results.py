"""What a study found: one record of tables, written to and read from one Parquet file."""

from __future__ import annotations

import html
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lastlayer.files import expanded
from lastlayer.findings import DESCRIPTIVE, METRICS, Finding
from lastlayer.findings.json_numbers import from_json, to_json
from lastlayer.study.decision import NO_DECISION
from lastlayer.study.error import StudyError
from lastlayer.study.fit.final import load_model
from lastlayer.study.schema import (
    BASELINES,
    CALIBRATION,
    COLUMNS,
    COMPARISONS,
    CONFUSION,
    DISAGREEMENTS,
    FITS,
    HISTOGRAM,
    POSITIVE,
    SUMMARY,
    tabulate,
)
from lastlayer.study.settings import StudySettings
from lastlayer.study.storage.parquet import read_stored, write_stored

#: The form in which results are stored. Files of form 1 have no number; they held sentences in the place of findings. Form 2 had
#: no baselines, decision, columns or predictions.
FORM = 3
#: The files next to the results.
MODEL, PREDICTIONS = "model.skops", "predictions.parquet"


@dataclass(frozen=True)
class StudyResults:
    """The results of a study.

    Attributes:
        dataset: name of the bundled dataset, or of the file.
        target: the target column of a file.
        n_samples: rows studied; rows without a target are left out, and a finding says how many.
        n_features: columns except the target; `n_encoded_features` is what they became, largest over the folds.
        fits: one row per mapping, repeat and fold; columns `FITS`.
        summary: mean and interval of each metric; columns `SUMMARY`.
        comparisons: each mapping against softmax; columns `COMPARISONS`. `difference` is mapping minus softmax.
        calibration: 15 equal-mass bins of the top probability, test rows of all folds pooled; columns `CALIBRATION`.
        histogram: 20 bins of the top probability; columns `HISTOGRAM`.
        findings: what else a reader must know; `lastlayer.report` has the words.
        decision: what to use, and the facts that this rests on; `lastlayer.report` has the words.
        columns: what each column of the table became; columns `COLUMNS`.
        positive: for two classes, bins of the probability of the second one; columns `POSITIVE`.
        confusion: test rows by class and predicted class; columns `CONFUSION`.
        disagreements: the rows on which two mappings disagree most; columns `DISAGREEMENTS`.
        command: the command or call that made the study.
        started: the local date and time, as in 2026-01-31 12:00.
        seconds: of the whole study, fits that were found on disk not among them.
    """

    dataset: str
    target: str | None
    n_samples: int
    n_features: int
    n_encoded_features: int
    n_classes: int
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    settings: StudySettings
    fits: pd.DataFrame
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    histogram: pd.DataFrame
    findings: tuple[Finding, ...]
    decision: Finding = NO_DECISION
    columns: pd.DataFrame = field(default_factory=lambda: tabulate((), COLUMNS))
    positive: pd.DataFrame = field(default_factory=lambda: tabulate((), POSITIVE))
    confusion: pd.DataFrame = field(default_factory=lambda: tabulate((), CONFUSION))
    disagreements: pd.DataFrame = field(default_factory=lambda: tabulate((), DISAGREEMENTS))
    command: str = ""
    started: str = ""
    seconds: float = math.nan
    #: Where the study's files are; not stored.
    folder: Path | None = field(default=None, compare=False)
    #: The advised model, where this process fitted it; not stored.
    model: Any = field(default=None, compare=False, repr=False)

    def status(self, mapping: str) -> str:
        """`failed` where a fit raised, `out of time` where one was not made, `not converged` where one stopped early, `cut short` where one stopped at a limit on work, otherwise `ok`."""
        codes = {finding.code for finding in self.findings if finding.mapping == mapping}
        if "fit_failed" in codes:
            return "failed"
        if "out_of_time" in codes:
            return "out of time"
        fits = self.fits[self.fits["mapping"] == mapping]
        if not (fits["converged"] | fits["is_cut_short"]).all():
            return "not converged"
        return "cut short" if fits["is_cut_short"].any() else "ok"

    @property
    def best_estimator_(self) -> Any:
        """The advised model, fitted on all rows: a scikit-learn pipeline from a table as it came to the classes.

        Raises:
            StudyError: it is neither in memory nor in the study's folder.
        """
        if self.model is not None:
            return self.model
        if self.folder is None:
            raise StudyError(
                "These results know of no folder with a model; run the study, or read its results.parquet."
            )
        return load_model(self.folder / MODEL)

    @property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold probabilities, one row per mapping, repeat and row of the data: mapping, repeat, fold, row, label, p_CLASS….

        Raises:
            StudyError: they were not kept, or are gone.
        """
        path = None if self.folder is None else self.folder / PREDICTIONS
        if path is None or not path.is_file():
            raise StudyError(
                f"There are no predictions{'' if path is None else f' at {path}'}: large studies do not keep them, and other results "
                "have them in predictions.parquet next to results.parquet. Run the study again."
            )
        return pd.read_parquet(path)

    def strengths(self) -> pd.DataFrame:
        """The C of every fit: one row per repeat and fold, one column per mapping."""
        fits = self.fits[~self.fits["mapping"].isin(BASELINES)]
        return fits.pivot(index=["repeat", "fold"], columns="mapping", values="C")[list(dict.fromkeys(fits["mapping"]))]

    def table(self) -> pd.DataFrame:
        """The mean of every metric: one row per mapping and baseline, one column per metric."""
        means = self.summary.pivot(index="mapping", columns="metric", values="mean")
        known = [key for key in (*METRICS, *DESCRIPTIVE) if key in means.columns]
        return means.loc[list(dict.fromkeys(self.summary["mapping"])), known]

    def per_class(self, mapping: str) -> pd.DataFrame:
        """Rows, recall and precision of each class, test rows of all repeats pooled; NaN where a class is never predicted."""
        own = self.confusion[self.confusion["mapping"] == mapping]
        rows = own.groupby("actual")["count"].sum().reindex(range(self.n_classes), fill_value=0)
        said = own.groupby("predicted")["count"].sum().reindex(range(self.n_classes), fill_value=0)
        right = own[own["actual"] == own["predicted"]].set_index("actual")["count"]
        right = right.reindex(range(self.n_classes), fill_value=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            table = pd.DataFrame({"rows": rows, "recall": right / rows, "precision": right / said})
        return table.set_axis(pd.Index(self.class_names, name="class"))

    def __repr__(self) -> str:
        """`StudyResults(iris: 150 rows, 4 features, 3 classes; advised: softmax, C = 1)` and the table of means."""
        return f"{self._heading()}\n{self.table().round(4).to_string()}"

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return f"<p>{html.escape(self._heading())}</p>{self.table().round(4).to_html()}"

    def _heading(self) -> str:
        C = self.decision.facts.get("C")
        advised = (
            f"; advised: {self.decision.mapping}{'' if C is None else f', C = {C:g}'}" if self.decision.mapping else ""
        )
        sizes = f"{self.n_samples} rows, {self.n_features} features, {self.n_classes} classes"
        return f"StudyResults({self.dataset}: {sizes}{advised})"

    def to_dict(self) -> dict[str, Any]:
        """The results as `lastlayer study --json` prints them, without its sentences: infinities are strings, what is missing is None.

        `invalid_rows` counts the rows outside the mapping's domain over all test folds; `fit_seconds` is the mean of a fit. The
        Brier score is the sum over the classes, from 0 to 2: for two classes twice scikit-learn's `brier_score_loss`.
        """
        columns = ["mapping", "versus", "metric", "difference", "low", "high", "p_holm", "verdict"]
        form = {
            "dataset": self.dataset,
            "target": self.target,
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "n_classes": self.n_classes,
            "classes": dict(zip(self.class_names, self.class_counts, strict=True)),
            "brier_range": [0, 2],
            "settings": asdict(self.settings),
            "decision": self.decision.form(),
            "mappings": [self._mapping_form(mapping) for mapping in self.settings.mappings],
            "baselines": [self._mapping_form(name) for name in BASELINES if name in set(self.fits["mapping"])],
            "comparisons": self.comparisons[columns].to_dict("records"),
            "findings": [finding.form() for finding in self.findings],
            "columns": self.columns.to_dict("records"),
            "command": self.command,
            "started": self.started,
            "seconds": self.seconds,
        }
        checked: dict[str, Any] = to_json(form)
        return checked

    def _mapping_form(self, mapping: str) -> dict[str, Any]:
        fits = self.fits[self.fits["mapping"] == mapping]
        summary_of = set(self.confusion["mapping"])
        summary = self.summary[self.summary["mapping"] == mapping].set_index("metric")
        estimates = {
            metric: summary.loc[metric, ["mean", "low", "high"]].to_dict() if metric in summary.index else None
            for metric in ("accuracy", "log_loss", "brier", "ece", *DESCRIPTIVE)
        }
        per_class = self.per_class(mapping).reset_index().to_dict("records") if mapping in summary_of else None
        return {
            "name": mapping,
            "status": self.status(mapping),
            **estimates,
            "C": fits["C"].tolist(),
            "per_class": per_class,
            "invalid_rows": int(fits["invalid_rows"].sum()),
            "fit_seconds": float(fits["fit_seconds"].mean()),
        }

    def write_parquet(self, path: str | Path) -> Path:
        """Write everything to one Parquet file, whole or not at all: the rows are the fits, the rest is its metadata.

        Raises:
            StudyError: the file cannot be written.
        """
        path = expanded(path)
        facts = {
            "form": FORM,
            **{name: getattr(self, name) for name in _PLAIN},
            "findings": [finding.form() for finding in self.findings],
            "decision": self.decision.form(),
            "settings": asdict(self.settings),
            **{name: getattr(self, name).to_dict("list") for name in _TABLES},
        }
        try:
            write_stored(path, pa.Table.from_pandas(self.fits, preserve_index=False), facts)
        except OSError as error:
            raise StudyError(
                f"{path} cannot be written ({error.strerror or error}). Give a folder you may write to, with room on the disk."
            ) from error
        return path

    @classmethod
    def read_parquet(cls, path: str | Path) -> StudyResults:
        """Read what `write_parquet` wrote.

        Raises:
            StudyError: the file is not there, holds no study, or one that another version of lastlayer wrote.
        """
        try:
            table, facts = read_stored(expanded(path))
            _check_form(facts, path)
            settings = {**facts["settings"], **{name: tuple(facts["settings"][name]) for name in ("mappings", "grid")}}
            parts: dict[str, Any] = {
                **{name: facts[name] for name in _PLAIN},
                **{name: tuple(facts[name]) for name in ("class_names", "class_counts")},
                **{name: _tabulate_json(facts[name], columns) for name, columns in _TABLES.items()},
                "seconds": from_json(facts["seconds"], "float64"),
                "findings": tuple(Finding.from_form(form) for form in facts["findings"]),
                "decision": Finding.from_form(facts["decision"]),
                "settings": StudySettings(**settings),
                "fits": tabulate(table.to_pandas().to_dict("records"), FITS),
            }
        except StudyError:
            raise
        except FileNotFoundError as error:
            raise StudyError(f"There is no file {path}; give the results.parquet that a study wrote.") from error
        # The file may hold anything, so reading it may fail in any way.
        except Exception as error:
            raise StudyError(
                f"{path} holds no results of a study. Give the results.parquet that a study wrote, or run the study again."
            ) from error
        return cls(**parts, folder=expanded(path).parent)


_PLAIN = (
    "dataset",
    "target",
    "n_samples",
    "n_features",
    "n_encoded_features",
    "n_classes",
    "class_names",
    "class_counts",
    "command",
    "started",
    "seconds",
)
_TABLES = {
    "summary": SUMMARY,
    "comparisons": COMPARISONS,
    "calibration": CALIBRATION,
    "histogram": HISTOGRAM,
    "columns": COLUMNS,
    "positive": POSITIVE,
    "confusion": CONFUSION,
    "disagreements": DISAGREEMENTS,
}


def _check_form(facts: dict[str, Any], path: str | Path) -> None:
    # Form 1 has no number, but had these; what has neither is no study of any version.
    found = facts.get("form", 1 if {"notes", "verdicts"} <= facts.keys() else FORM)
    if found != FORM:
        raise StudyError(
            f"{path} was written by {'an earlier' if found == 1 else 'another'} version of lastlayer (form {found}; this version "
            f"reads form {FORM}). Run the study again, which replaces the file."
        )


def _tabulate_json(values: dict[str, list[Any]], columns: dict[str, str]) -> pd.DataFrame:
    """A table from columns of values that `to_json` wrote."""
    typed = {name: [from_json(value, kind) for value in values[name]] for name, kind in columns.items()}
    return pd.DataFrame(typed, columns=list(columns)).astype(columns)
