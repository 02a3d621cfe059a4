"""From finished fits to the results of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.findings import Finding
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.error import StudyError
from lastlayer.study.findings import study_findings
from lastlayer.study.fit.bins import histogram, reliability
from lastlayer.study.fit.finished import FinishedFit
from lastlayer.study.schema import CALIBRATION, FITS, HISTOGRAM, REFERENCE, tabulate
from lastlayer.study.settings import StudySettings
from lastlayer.study.statistics.comparisons import compare, summarize, tabulate_comparisons
from lastlayer.study.storage.results import StudyResults


@dataclass(frozen=True)
class Failure:
    """A mapping one of whose fits raised, and what it said."""

    mapping: str
    reason: str


def collect(
    data: Dataset,
    settings: StudySettings,
    mappings: Sequence[ProbabilityMapping],
    fits: Sequence[FinishedFit],
    failures: Sequence[Failure],
    *,
    findings: Sequence[Finding] = (),
) -> StudyResults:
    """Summaries, comparisons, calibration and findings; a mapping with a failed fit has none of the first three.

    `findings` are those of the caller, which join the others.

    Raises:
        StudyError: a fit of the reference failed, so that there is nothing to compare with.
    """
    # The first reason of each mapping; which split it came from does not matter to a reader.
    failed = {failure.mapping: failure.reason for failure in sorted(failures, key=lambda f: f.reason, reverse=True)}
    if REFERENCE in failed:
        raise StudyError(f"{REFERENCE}, which the others are compared with, could not be fitted ({failed[REFERENCE]}).")
    by_mapping = {label: [fit for fit in fits if fit.row["mapping"] == label] for label in settings.mappings}
    table = tabulate((fit.row for own in by_mapping.values() for fit in own), FITS)
    complete = table[~table["mapping"].isin(list(failed))]
    pooled = {label: _pool(own) for label, own in by_mapping.items() if label not in failed}
    return StudyResults(
        dataset=data.name,
        target=data.target,
        n_samples=len(data.labels),
        n_features=data.features.shape[1],
        n_encoded_features=max(fit.n_encoded for fit in fits),
        n_classes=len(data.class_names),
        class_names=data.class_names,
        class_counts=data.class_counts,
        settings=settings,
        fits=table,
        summary=summarize(complete, settings.level),
        comparisons=tabulate_comparisons(compare(complete, settings.level, settings.margin)),
        calibration=tabulate(
            ({"mapping": label, **row} for label, rows in pooled.items() for row in reliability(*rows)), CALIBRATION
        ),
        histogram=tabulate(
            ({"mapping": label, **row} for label, rows in pooled.items() for row in histogram(rows[0])), HISTOGRAM
        ),
        findings=study_findings(data, settings, mappings, table, failed, findings),
    )


def _pool(fits: Sequence[FinishedFit]) -> tuple[np.ndarray, np.ndarray]:
    """Top probabilities of all test rows of all folds, and whether they are right."""
    return np.concatenate([fit.confidence for fit in fits]), np.concatenate([fit.is_correct for fit in fits])
