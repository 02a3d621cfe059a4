"""Maps that are fitted to other rows: their file is judged by itself, and must fit to the judged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from calibrated_data import planted

import lastlayer as ll
from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import fit_map
from lastlayer.evaluation import EvaluationError, evaluate_scores

SCORES, LABELS = planted(600, 4, factor=2.0)
OTHERS, THEIR_LABELS = planted(500, 4, factor=2.0, seed=1)


@pytest.mark.parametrize("others", [SCORES, SCORES.copy(), SCORES.astype(np.float64)])
def test_the_judged_rows_are_no_other_rows(others: np.ndarray) -> None:
    with pytest.raises(EvaluationError, match="600 of the 600 rows of array are in array, too, so that the maps would"):
        evaluate_scores(SCORES, LABELS, fit=others, fit_labels=LABELS)


def test_rows_that_both_have_are_counted_whatever_their_order() -> None:
    """A tenth of the rows may be alike; and scores with few different rows, as those of a small tree, say nothing."""
    mixed = np.random.default_rng(0).permutation(np.concatenate([np.arange(450), np.arange(600, 900)]))
    both, labels = np.concatenate([SCORES, OTHERS])[mixed], np.concatenate([LABELS, THEIR_LABELS])[mixed]
    with pytest.raises(EvaluationError, match="450 of the 600 rows of array are in array, too"):
        evaluate_scores(SCORES, LABELS, fit=both, fit_labels=labels, maps=["temperature"])
    few, their_labels = np.concatenate([SCORES[:50], OTHERS]), np.concatenate([LABELS[:50], THEIR_LABELS])
    assert evaluate_scores(SCORES, LABELS, fit=few, fit_labels=their_labels, maps=["temperature"]).n_fit_rows == 550
    coarse, others = np.round(SCORES / 8), np.round(OTHERS / 8)
    assert evaluate_scores(coarse, LABELS, fit=others, fit_labels=THEIR_LABELS, maps=["temperature"]).n_fit_rows == 500


def test_probabilities_do_not_fit_scores() -> None:
    """Each file is looked at by itself: probabilities next to scores are refused and not taken for scores."""
    with pytest.raises(EvaluationError, match="array holds scores and array holds probabilities"):
        evaluate_scores(SCORES, LABELS, fit=ll.softmax(OTHERS), fit_labels=THEIR_LABELS)
    forced = evaluate_scores(SCORES, LABELS, fit=ll.softmax(OTHERS), fit_labels=THEIR_LABELS, kind="scores")
    assert forced.kind == "scores"


@pytest.mark.parametrize(
    ("others", "labels", "says"),
    [
        (OTHERS[:, :3], np.minimum(THEIR_LABELS, 2), "has 3 classes and array has 4"),
        (OTHERS, None, "labels"),
    ],
)
def test_other_rows_of_another_model_are_refused(others: np.ndarray, labels: np.ndarray | None, says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        evaluate_scores(SCORES, LABELS, fit=others, fit_labels=labels)


def test_groups_of_a_column_are_those_of_both_files(tmp_path: Path) -> None:
    for name, scores, labels in (("judged", SCORES, LABELS), ("others", OTHERS, THEIR_LABELS)):
        frame = pd.DataFrame(scores, columns=["a", "b", "c", "d"])
        frame["label"], frame["patient"] = np.array(list("abcd"))[labels], np.arange(len(frame)) // 5
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    found = evaluate_scores(
        tmp_path / "judged.csv", target="label", groups="patient", fit=tmp_path / "others.csv", maps=["temperature"]
    )
    assert (found.n_groups, found.n_fit_rows) == (120, 500)
    by_group = fit_map("temperature", ScoreRows(OTHERS), THEIR_LABELS, groups=np.arange(500) // 5).interval
    interval = found.map("temperature").interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(by_group)


def test_maps_are_tried_for_the_rows_that_they_are_fitted_to() -> None:
    """A matrix needs rows to be fitted to; how many are judged does not matter, be they four."""
    few = evaluate_scores(SCORES, LABELS, fit=OTHERS[:20], fit_labels=THEIR_LABELS[:20])
    assert ("map_few_rows", "matrix") in {(one.code, one.mapping) for one in few.left_out}
    many = evaluate_scores(SCORES[:4], LABELS[:4], fit=OTHERS, fit_labels=THEIR_LABELS)
    assert "matrix" in {one.name for one in many.maps}
    assert many.n_rows == 4


def test_zeros_in_either_file_have_one_floor() -> None:
    p, q = ll.softmax(SCORES), ll.softmax(OTHERS)
    q[np.arange(40), THEIR_LABELS[:40]] = 0.0
    q /= q.sum(axis=1, keepdims=True)
    found = evaluate_scores(p, LABELS, fit=q, fit_labels=THEIR_LABELS)
    assert all(np.isfinite(one.log_loss.value) for one in found.maps if one.mapping == "softmax")
    assert found.map("vector").calibrator.floor > 0
    assert found.map("temperature").calibrator.temperature < 1e3


def test_findings_of_the_other_file_name_it(tmp_path: Path) -> None:
    labels = THEIR_LABELS.astype(float)
    labels[:7] = np.nan
    np.savez(tmp_path / "others.npz", scores=OTHERS, labels=labels)
    found = evaluate_scores(SCORES, LABELS, fit=tmp_path / "others.npz")
    finding = next(one for one in found.findings if one.code == "rows_without_label")
    assert finding.facts["file"] == "others.npz"
    assert (found.n_left_out, found.n_fit_rows) == (0, 493)
