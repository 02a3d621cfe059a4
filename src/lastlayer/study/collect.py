"""From finished fits to the results of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.decision import decide
from lastlayer.study.disagreements import disagreements
from lastlayer.study.error import StudyError
from lastlayer.study.findings import study_findings
from lastlayer.study.fit.bins import histogram, reliability
from lastlayer.study.fit.finished import FinishedFit
from lastlayer.study.fit.splits import Split
from lastlayer.study.schema import (
    BASELINES,
    CALIBRATION,
    CONFUSION,
    DISAGREEMENTS,
    FITS,
    HISTOGRAM,
    POSITIVE,
    REFERENCE,
    tabulate,
)
from lastlayer.study.settings import StudySettings
from lastlayer.study.statistics.comparisons import compare, summarize, tabulate_comparisons
from lastlayer.study.storage.results import StudyResults


@dataclass(frozen=True)
class Outcomes:
    """What became of the fits.

    Attributes:
        fits: those that are finished, in any order.
        failed: mapping → the reason of a fit that raised; of several, any.
        unfinished: mapping → fits that were not made, since the time was up.
    """

    fits: Sequence[FinishedFit]
    failed: Mapping[str, str] = field(default_factory=dict)
    unfinished: Mapping[str, int] = field(default_factory=dict)


def collect(
    data: Dataset,
    settings: StudySettings,
    mappings: Sequence[ProbabilityMapping],
    splits: Sequence[Split],
    outcomes: Outcomes,
    *,
    findings: Sequence[Finding] = (),
) -> StudyResults:
    """Summaries, comparisons, predictions, the decision and findings; a mapping without all of its fits has none of these.

    `findings` are those of the caller, which join the others.

    Raises:
        StudyError: a fit of the reference failed, or the time did not suffice for it, so that there is nothing to compare with.
    """
    if REFERENCE in outcomes.failed:
        reason = outcomes.failed[REFERENCE]
        raise StudyError(f"{REFERENCE}, which the others are compared with, could not be fitted ({reason}).")
    if REFERENCE in outcomes.unfinished:
        raise StudyError(
            f"The time limit of {settings.time_limit:g} s was over before {REFERENCE}, which the others are compared with, was fitted "
            "on every split. Give more time or fewer repeats; the fits that are finished are kept, and the same study goes on from there."
        )
    labels = [*settings.mappings, *BASELINES]
    fits = {label: [fit for fit in outcomes.fits if fit.row["mapping"] == label] for label in labels}
    table = tabulate((fit.row for own in fits.values() for fit in own), FITS)
    whole = {
        label: own
        for label, own in fits.items()
        if own and label not in outcomes.failed and label not in outcomes.unfinished
    }
    complete = table[table["mapping"].isin(list(whole))]
    compared = complete[~complete["mapping"].isin(BASELINES)]
    summary = summarize(complete, settings.level)
    comparisons = compare(compared, settings.level, settings.margin)
    pooled = {label: _pool(own) for label, own in whole.items()}
    actual = {(split.repeat, split.fold): data.labels[split.test] for split in splits}
    return StudyResults(
        dataset=data.name,
        target=data.target,
        n_samples=len(data.labels),
        n_features=data.features.shape[1],
        n_encoded_features=max(fit.n_encoded for fit in outcomes.fits),
        n_classes=len(data.class_names),
        class_names=data.class_names,
        class_counts=data.class_counts,
        settings=settings,
        fits=table,
        summary=summary,
        comparisons=tabulate_comparisons(comparisons),
        calibration=tabulate(
            ({"mapping": label, **row} for label, rows in pooled.items() for row in reliability(*rows)), CALIBRATION
        ),
        histogram=tabulate(
            ({"mapping": label, **row} for label, rows in pooled.items() for row in histogram(rows[0])), HISTOGRAM
        ),
        findings=study_findings(data, settings, mappings, table, outcomes.failed, outcomes.unfinished, findings),
        decision=decide(complete, summary, comparisons, settings.level),
        columns=data.columns,
        positive=_positive(whole, actual) if len(data.class_names) == 2 else tabulate((), POSITIVE),
        confusion=_confusion(whole, actual),
        disagreements=tabulate(disagreements(whole, splits, data), DISAGREEMENTS),
    )


def _pool(fits: Sequence[FinishedFit]) -> tuple[np.ndarray, np.ndarray]:
    """Top probabilities of the test rows of all folds that are inside the domain, and whether they are right."""
    return (
        np.concatenate([fit.confidence[fit.inside] for fit in fits]),
        np.concatenate([fit.is_correct[fit.inside] for fit in fits]),
    )


def _confusion(fits: Mapping[str, Sequence[FinishedFit]], actual: Mapping[tuple[int, int], np.ndarray]) -> pd.DataFrame:
    rows = []
    for label, own in fits.items():
        pairs = [np.stack([_true(fit, actual), fit.predicted], axis=-1) for fit in own]
        found, counts = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
        rows += [
            {"mapping": label, "actual": int(true), "predicted": int(said), "count": int(count)}
            for (true, said), count in zip(found, counts, strict=True)
        ]
    return tabulate(rows, CONFUSION)


def _positive(fits: Mapping[str, Sequence[FinishedFit]], actual: Mapping[tuple[int, int], np.ndarray]) -> pd.DataFrame:
    """Bins of the second class's probability, which is that of the prediction or what it leaves."""
    rows = []
    for label, own in fits.items():
        p = np.concatenate(
            [np.where(fit.predicted == 1, fit.confidence, 1.0 - fit.confidence)[fit.inside] for fit in own]
        )
        is_positive = np.concatenate([_true(fit, actual)[fit.inside] == 1 for fit in own])
        rows += [
            {
                "mapping": label,
                "bin": row["bin"],
                "n": row["n"],
                "probability": row["confidence"],
                "share": row["accuracy"],
            }
            for row in reliability(p, is_positive)
        ]
    return tabulate(rows, POSITIVE)


def _true(fit: FinishedFit, actual: Mapping[tuple[int, int], np.ndarray]) -> np.ndarray:
    return actual[fit.row["repeat"], fit.row["fold"]]
