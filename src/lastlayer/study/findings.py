"""What a reader of the results must know, found in the settings and the fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.baselines import MOST_CLASSES
from lastlayer.study.fit.bins import N_CALIBRATION
from lastlayer.study.schema import BASELINES, REFERENCE
from lastlayer.study.settings import StudySettings

#: Fewer test rows than this in a bin of the calibration error make it mostly noise.
_ROWS_PER_BIN = 20
#: Restarts that end further apart than this, in the objective of a training row, are reported.
_SPREAD = 1e-3


def study_findings(
    data: Dataset,
    settings: StudySettings,
    mappings: Sequence[ProbabilityMapping],
    fits: pd.DataFrame,
    failed: Mapping[str, str],
    unfinished: Mapping[str, int],
    more: Sequence[Finding],
) -> tuple[Finding, ...]:
    """The findings in the order in which a reader needs them, with `more` among them."""
    findings = [
        *data.findings,
        *more,
        *(Finding("fit_failed", label, {"reason": reason}) for label, reason in failed.items()),
        *(
            Finding("out_of_time", label, {"fits": fits, "limit": settings.time_limit})
            for label, fits in unfinished.items()
        ),
        *(Finding("margin_form", mapping.label) for mapping in mappings if mapping.linear.method == "margin"),
        *(Finding("training_note", mapping.label, _quoted(mapping)) for mapping in mappings if mapping.linear.note),
        *_coarse_bins(fits),
        *_fewer_splits(fits, settings),
        *_missing_baselines(fits, len(data.class_names)),
    ]
    for mapping, own in fits.groupby("mapping", sort=False):
        if mapping in BASELINES:
            findings.extend(_of_baseline(str(mapping), own))
        else:
            findings.extend(_of_fits(str(mapping), own, settings))
    return tuple(findings)


def _quoted(mapping: ProbabilityMapping) -> dict[str, str]:
    """The note of a mapping that is not built in, since whoever reads the results may not have its record."""
    known = MAPPINGS.get(mapping.name)
    is_known = known is not None and known.linear.note == mapping.linear.note
    return {} if is_known else {"note": mapping.linear.note}


def _fewer_splits(fits: pd.DataFrame, settings: StudySettings) -> Iterator[Finding]:
    made = int(fits.loc[fits["mapping"] == REFERENCE, "fold"].nunique())
    if made < settings.folds:
        yield Finding("fewer_splits", facts={"made": made, "folds": settings.folds})


def _missing_baselines(fits: pd.DataFrame, classes: int) -> Iterator[Finding]:
    if "boosted_trees" not in set(fits["mapping"]) and classes > MOST_CLASSES:
        yield Finding("no_boosted_trees", facts={"classes": classes, "most": MOST_CLASSES})


def _coarse_bins(fits: pd.DataFrame) -> Iterator[Finding]:
    n_test = int(fits["n_test"].min())
    if n_test < _ROWS_PER_BIN * N_CALIBRATION:
        yield Finding("coarse_bins", facts={"bins": N_CALIBRATION, "rows": max(n_test // N_CALIBRATION, 1)})


def _of_baseline(name: str, fits: pd.DataFrame) -> Iterator[Finding]:
    sampled = int(fits["is_cut_short"].sum())
    if sampled:
        yield Finding("baseline_sampled", name, {"fits": sampled, "of": len(fits)})


def _of_fits(mapping: str, fits: pd.DataFrame, settings: StudySettings) -> Iterator[Finding]:
    invalid = float(np.average(fits["invalid_share"], weights=fits["n_test"]))
    if invalid > 0:
        yield Finding("outside_domain", mapping, {"share": invalid, "rows": int(fits["invalid_rows"].sum())})
    impossible = float(np.average(fits["infinite_share"], weights=fits["n_test"])) - invalid
    # The difference of two averages may leave a rounding error.
    if impossible > 1e-12:
        yield Finding("zero_probability", mapping, {"share": impossible})
    yield from _strength_at_edge(mapping, fits, settings)
    cut = int(fits["is_cut_short"].sum())
    if cut:
        yield Finding("cut_short", mapping, {"fits": cut, "of": len(fits)})
    unconverged = int((~fits["converged"] & ~fits["is_cut_short"]).sum())
    if unconverged:
        yield Finding("not_converged", mapping, {"fits": unconverged, "of": len(fits)})
    spread = float((fits["restart_spread"] / fits["n_train"]).max())
    if spread > _SPREAD:
        yield Finding("restarts_apart", mapping, {"spread": spread})


def _strength_at_edge(mapping: str, fits: pd.DataFrame, settings: StudySettings) -> Iterator[Finding]:
    # A grid of one value has one edge; without a grid C was not chosen.
    ends = dict.fromkeys((settings.grid[0], settings.grid[-1])) if settings.grid else {}
    for C, side in zip(ends, ("smallest", "largest"), strict=False):
        count = int((fits["C_at_edge"] & (fits["C"] == C)).sum())
        if count:
            yield Finding("strength_at_edge", mapping, {"fits": count, "of": len(fits), "side": side, "C": C})
