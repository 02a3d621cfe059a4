"""Folds: every row in one, whatever its label; groups whole."""

from __future__ import annotations

import numpy as np
import pytest
from calibrated_data import planted

import lastlayer as ll
from lastlayer.evaluation import EvaluationError, evaluate_scores
from lastlayer.evaluation.folds import draw_folds


def test_every_row_has_a_fold_and_folds_are_of_like_size() -> None:
    folds = draw_folds(143, None, 5, seed=1)
    assert sorted(np.bincount(folds)) == [28, 28, 29, 29, 29]


def test_the_frequencies_outside_a_fold_say_nothing_of_those_inside() -> None:
    """Equal shares of each class in every fold would make a bias per class look useful where it only fits chance."""
    claimed, true = [], []
    for seed in range(8):
        scores, labels = planted(800 + 4000, 30, spread=1.0, seed=seed)
        found = evaluate_scores(scores[:800], labels[:800], maps=["temperature_prior"]).map("temperature_prior")
        held = np.arange(800, 4800), labels[800:]
        change = ll.log_softmax(scores)[held] - found.calibrator.log_probabilities(scores)[held]
        claimed.append(found.difference.value)
        true.append(change.mean())
    assert min(true) > 0, "30 parameters fitted to chance"
    assert np.mean(claimed) > 0.6 * np.mean(true)


def test_groups_stay_whole_and_folds_are_of_like_size() -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 40, 1000)
    folds = draw_folds(1000, groups, 5, seed=1)
    assert all(len(set(folds[groups == group])) == 1 for group in range(40))
    assert np.ptp(np.bincount(folds, minlength=5)) < 40


def test_the_seed_decides() -> None:
    assert (draw_folds(60, None, 5, 1) == draw_folds(60, None, 5, 1)).all()
    assert (draw_folds(60, None, 5, 1) != draw_folds(60, None, 5, 2)).any()


@pytest.mark.parametrize(("groups", "what"), [(None, "4 rows"), (np.array([0, 0, 1, 1]), "2 groups")])
def test_too_little_for_the_folds_is_said(groups: np.ndarray | None, what: str) -> None:
    with pytest.raises(EvaluationError, match=f"There are {what} for 5 folds; ask for fewer folds"):
        draw_folds(4, groups, 5, 0)
