"""What a study found: one record of tables, written to and read from one Parquet file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lastlayer.files import expanded
from lastlayer.findings import Finding
from lastlayer.findings.json_numbers import from_json, to_json
from lastlayer.study.decision import NO_DECISION
from lastlayer.study.error import StudyError
from lastlayer.study.schema import (
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

    def status(self, mapping: str) -> str:
        """`failed` where a fit raised, `not converged` where one stopped early, otherwise `ok`."""
        fits = self.fits[self.fits["mapping"] == mapping]
        if len(fits) < self.settings.folds * self.settings.repeats:
            return "failed"
        return "ok" if bool(fits["converged"].all()) else "not converged"

    def to_json_dict(self) -> dict[str, Any]:
        """The results as `lastlayer study --json` prints them: infinities are strings, what is missing is None.

        `invalid_rows` counts the rows outside the mapping's domain over all test folds; `fit_seconds` is the mean of a fit.
        """
        columns = ["mapping", "versus", "metric", "difference", "low", "high", "p_holm", "verdict"]
        form = {
            "dataset": self.dataset,
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "n_classes": self.n_classes,
            "mappings": [self._mapping_form(mapping) for mapping in self.settings.mappings],
            "comparisons": self.comparisons[columns].to_dict("records"),
        }
        checked: dict[str, Any] = to_json(form)
        return checked

    def _mapping_form(self, mapping: str) -> dict[str, Any]:
        fits = self.fits[self.fits["mapping"] == mapping]
        summary = self.summary[self.summary["mapping"] == mapping].set_index("metric")
        estimates = {
            metric: summary.loc[metric, ["mean", "low", "high"]].to_dict() if metric in summary.index else None
            for metric in ("accuracy", "log_loss", "brier", "ece")
        }
        return {
            "name": mapping,
            "status": self.status(mapping),
            **estimates,
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
        # The file may hold anything, so reading it may fail in any way.
        except Exception as error:
            raise StudyError(
                f"{path} holds no results of a study. Give the results.parquet that a study wrote, or run the study again."
            ) from error
        return cls(**parts)


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
