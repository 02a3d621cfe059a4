"""Folds: every row in one, classes in equal shares, groups whole."""

from __future__ import annotations

import numpy as np
import pytest

from lastlayer.evaluation import EvaluationError
from lastlayer.evaluation.folds import draw_folds


def test_each_class_is_dealt_out_evenly() -> None:
    labels = np.repeat([0, 1, 2], [100, 33, 7])
    folds = draw_folds(labels, None, 5, seed=1)
    for k, size in enumerate((100, 33, 7)):
        counts = np.bincount(folds[labels == k], minlength=5)
        assert counts.sum() == size
        assert counts.max() - counts.min() <= 1


def test_groups_stay_whole_and_folds_are_of_like_size() -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 40, 1000)
    folds = draw_folds(random.integers(0, 3, 1000), groups, 5, seed=1)
    assert all(len(set(folds[groups == group])) == 1 for group in range(40))
    assert np.ptp(np.bincount(folds, minlength=5)) < 40


def test_the_seed_decides() -> None:
    labels = np.arange(60) % 3
    assert (draw_folds(labels, None, 5, 1) == draw_folds(labels, None, 5, 1)).all()
    assert (draw_folds(labels, None, 5, 1) != draw_folds(labels, None, 5, 2)).any()


@pytest.mark.parametrize(("groups", "what"), [(None, "4 rows"), (np.array([0, 0, 1, 1]), "2 groups")])
def test_too_little_for_the_folds_is_said(groups: np.ndarray | None, what: str) -> None:
    with pytest.raises(EvaluationError, match=f"There are {what} for 5 folds; ask for fewer folds"):
        draw_folds(np.array([0, 1, 0, 1]), groups, 5, 0)
