"""What a reader of the results must be told, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.bins import N_CALIBRATION
from lastlayer.study.settings import StudySettings
from lastlayer.study.wording import WORDS, listing, percent, plural

TOGETHER = (
    "Each row changes the mapping and the loss together, since every mapping is trained by its own loss: "
    "a difference may come from either."
)
APPROXIMATE = (
    "Intervals are approximate: the fits of a cross-validation share training rows, which the corrected t allows for "
    "but cannot undo."
)
#: Test rows in a bin of the calibration error, below which that is mostly noise.
_ROWS_A_BIN = 20
#: Restarts that end further apart than this in the objective of a training row are told of.
_SPREAD = 1e-3


def study_notes(
    data: Dataset,
    settings: StudySettings,
    mappings: Sequence[ProbabilityMapping],
    fits: pd.DataFrame,
    failed: dict[str, str],
    more: Sequence[str],
) -> tuple[str, ...]:
    """The notes in the order in which a reader needs them, with `more` among them."""
    notes = [
        TOGETHER,
        APPROXIMATE,
        _margin_note(settings),
        *data.notes,
        *more,
        *(f"{label} could not be studied, because a fit failed: {reason}." for label, reason in failed.items()),
        *_margin_form_notes(mappings),
        *(f"{mapping.label}: {mapping.linear.note}" for mapping in mappings if mapping.linear.note),
        *_calibration_note(fits),
    ]
    for mapping, own in fits.groupby("mapping", sort=False):
        notes.extend(_fit_notes(str(mapping), own, settings))
    return tuple(notes)


def _margin_note(settings: StudySettings) -> str:
    margins = [
        f"{settings.margin[metric] * words.scale:g}{words.unit} in {words.name}"
        for metric, words in WORDS.items()
        if metric in settings.margin
    ]
    return (
        f"‘Equal’ is said only where the whole {100 * settings.level:g} % interval of a difference lies within the margin: "
        f"{listing(margins)}."
    )


def _margin_form_notes(mappings: Sequence[ProbabilityMapping]) -> Iterator[str]:
    for mapping in mappings:
        if mapping.linear.method == "margin":
            yield (
                f"{mapping.label} was trained by the margin form of its loss (scores + 1 on every class but the true one), "
                "since weights of zero already minimise the loss itself."
            )


def _calibration_note(fits: pd.DataFrame) -> Iterator[str]:
    n_test = int(fits["n_test"].min())
    if n_test < _ROWS_A_BIN * N_CALIBRATION:
        yield (
            f"The calibration error of a test fold is taken over {N_CALIBRATION} bins of about {max(n_test // N_CALIBRATION, 1)} "
            "rows, so much of it is chance; compare it between mappings, and do not read its size."
        )


def _fit_notes(mapping: str, fits: pd.DataFrame, settings: StudySettings) -> Iterator[str]:
    total = len(fits)
    invalid = float(np.average(fits["invalid_share"], weights=fits["n_test"]))
    if invalid > 0:
        yield (
            f"{mapping}: {percent(invalid)} of the test rows ({int(fits['invalid_rows'].sum())}) have scores outside its domain; "
            "they count as wrong in accuracy, 2 in Brier score and infinite in log loss."
        )
    impossible = float(np.average(fits["infinite_share"], weights=fits["n_test"])) - invalid
    # The difference of two averages may leave a rounding error.
    if impossible > 1e-12:
        yield f"{mapping}: {percent(impossible)} of the test rows got probability 0 for their class, so its log loss is infinite."
    yield from _edge_notes(mapping, fits, settings)
    unconverged = int((~fits["converged"]).sum())
    if unconverged:
        yield (
            f"{mapping}: {unconverged} of {plural(total, 'fit')} had not converged when the iterations ran out, "
            "so it may do a little better than shown."
        )
    spread = float((fits["restart_spread"] / fits["n_train"]).max())
    if spread > _SPREAD:
        yield (
            f"{mapping}: its loss is not convex, and restarts ended up to {spread:.2g} apart in the mean loss of a training row; "
            "the best of them was taken."
        )


def _edge_notes(mapping: str, fits: pd.DataFrame, settings: StudySettings) -> Iterator[str]:
    for C, side in zip(
        (settings.grid or (np.nan,))[:: max(len(settings.grid) - 1, 1)], ("smallest", "largest"), strict=False
    ):
        count = int((fits["C_at_edge"] & (fits["C"] == C)).sum())
        if count:
            yield (
                f"{mapping}: {count} of {plural(len(fits), 'fit')} chose the {side} C of the grid ({C:g}), "
                "so a value beyond it may suit it better."
            )
