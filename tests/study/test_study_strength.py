"""The choice of C: the one-standard-error rule, where the search looks, and what one unlucky split no longer does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from lastlayer import MAPPINGS
from lastlayer.functions import log_probabilities
from lastlayer.study.fit import strength
from lastlayer.study.fit.inner_fold import InnerFold
from lastlayer.study.fit.model import linear_model, scores_of
from lastlayer.study.fit.splits import inner_folds
from lastlayer.study.fit.strength import choose_strength, strongest_within_error
from lastlayer.study.settings import GRID

SOFTMAX = MAPPINGS["softmax"]


def clusters(rows: int, seed: int, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    centres = np.random.default_rng(0).normal(size=(3, columns))
    return centres[labels] + generator.normal(size=(rows, columns)), labels


def by_row(means: Sequence[float], noise: Sequence[float], rows: int = 100) -> np.ndarray:
    """Losses of candidates: each has its mean, and ± its noise in turn on the rows, whose difficulty all candidates share."""
    difficulty = np.linspace(-0.2, 0.2, rows)
    sign = np.where(np.arange(rows) % 2, 1.0, -1.0)
    return np.asarray(means)[:, None] + difficulty + np.asarray(noise)[:, None] * sign


def test_within_one_standard_error_the_strongest_penalty_is_chosen() -> None:
    # Noise of ± 0.2 on 100 rows is a standard error of about 0.02.
    assert strongest_within_error(by_row([0.60, 0.51, 0.50, 0.50], [0.2, 0.2, 0.0, 0.0])) == 1
    assert strongest_within_error(by_row([0.60, 0.53, 0.50, 0.50], [0.2, 0.2, 0.0, 0.0])) == 2


def test_the_error_is_that_of_the_difference_not_of_the_loss() -> None:
    # The rows differ by ± 0.2 under every candidate: the standard error of each loss is 0.012, that of the difference is 0.
    assert strongest_within_error(by_row([0.505, 0.50], [0.0, 0.0])) == 1


def test_a_stronger_penalty_gives_up_at_most_a_twentieth_of_the_gain() -> None:
    # A standard error of 0.1 covers the whole gain of 0.08 over the class frequencies, whose loss is 1.
    curve = by_row([1.0, 0.923, 0.92, 0.93], [1.0, 1.0, 0.0, 0.0])
    assert strongest_within_error(curve) == 1


def test_without_a_gain_the_least_loss_is_chosen() -> None:
    assert strongest_within_error(by_row([1.02, 1.01, 1.04], [1.0, 0.0, 1.0])) == 1


def test_one_judged_row_has_no_error() -> None:
    assert strongest_within_error(np.array([[0.5], [0.4], [0.45]])) == 1


class MadeFold:
    """An inner fold with a made curve: loss by position in the grid, the same for each of its rows; notes what was fitted."""

    curves: Iterator[np.ndarray]
    fitted: list[list[float]]

    def __init__(self, *_: Any) -> None:
        self._curve = next(MadeFold.curves)
        self._seen: list[float] = []
        self.points: dict[float, float] = {}
        self.n_judged = 10
        MadeFold.fitted.append(self._seen)

    def along(self, strengths: Sequence[float], start: float | None = None) -> Iterator[np.ndarray]:
        # A fit of this very fold at the very same C, or none: no other rows, no weaker penalty.
        assert start is None or (start == strengths[0] and self.points[start] == start)
        for C in strengths:
            self.points[C] = C
            self._seen.append(C)
            yield np.full(10, self._curve[GRID.index(C)])


def search(monkeypatch: pytest.MonkeyPatch, *curves: np.ndarray) -> tuple[strength.Strength, list[list[float]]]:
    monkeypatch.setattr(MadeFold, "curves", iter(curves), raising=False)
    monkeypatch.setattr(MadeFold, "fitted", [], raising=False)
    monkeypatch.setattr(strength, "InnerFold", MadeFold)
    inner = [(np.arange(0), np.arange(10 * i, 10 * i + 10)) for i in range(len(curves))]
    found = choose_strength(SOFTMAX, np.zeros((0, 1)), np.zeros(0, dtype=int), inner, GRID, 0)
    return found, MadeFold.fitted


def valley(C: float, depth: float = 0.5) -> np.ndarray:
    """A curve that rises by 0.02 per half power of ten on both sides of C, at most to the class frequencies' loss."""
    return np.minimum(1.0, 1.0 - depth + 0.02 * np.abs(np.arange(len(GRID)) - GRID.index(C)))


def test_only_the_first_fold_walks_the_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    found, fitted = search(monkeypatch, valley(1.0), valley(1.0), valley(1.0))
    assert found == strength.Strength(1.0, is_at_edge=False)
    for seen in fitted[1:]:
        assert sorted(seen) == [0.1, 0.316, 1.0, 3.16]
    # Powers of ten up to two beyond the best one.
    assert fitted[0][:10] == [float(f"1e{exponent}") for exponent in range(-7, 3)]


@pytest.mark.parametrize("misled", [1e-5, 1e4])
def test_other_folds_lead_away_from_an_unlucky_first_one(misled: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = search(monkeypatch, valley(misled, 0.1), *[valley(1.0)] * 4)
    assert found.C == 1.0


@pytest.mark.parametrize("C", [GRID[0], GRID[-1]])
def test_the_ends_of_the_grid_are_said(C: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = search(monkeypatch, valley(C), valley(C))
    assert found == strength.Strength(C, is_at_edge=True)


def test_half_powers_are_found_between_the_steps_of_the_first_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = search(monkeypatch, valley(0.316), valley(0.316))
    assert found == strength.Strength(0.316, is_at_edge=False)


def test_a_choice_is_repeatable() -> None:
    features, labels = clusters(90, 0)
    inner = inner_folds(labels, seed=3)
    chosen = {choose_strength(SOFTMAX, features, labels, inner, GRID, 0) for _ in range(2)}
    assert len(chosen) == 1


def test_a_row_judged_twice_counts_once() -> None:
    losses = [np.array([1.0, 3.0]), np.array([5.0, 7.0])]
    assert strength._mean_by_row(np.array([4, 2, 2, 4]), losses).tolist() == [4.0, 4.0]


def test_a_row_that_class_frequencies_answer_loses_about_one() -> None:
    features, labels = clusters(300, 1)
    for name in ("softmax", "sparsemax"):
        fold = InnerFold(MAPPINGS[name], features, labels, inner_folds(labels, seed=0)[0], 0)
        least, enough = (losses.mean() for losses in fold.along([1e-9, 1.0]))
        assert least == pytest.approx(1.0, abs=1e-3)
        assert enough < 0.9


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "ratio", "hardmax"])
def test_a_class_may_be_missing_among_the_fitted_rows(name: str) -> None:
    features, labels = clusters(30, 2)
    last = np.flatnonzero(labels == 1)
    others = np.flatnonzero(labels != 1)
    inner = [(others[:14], others[14:]), (np.r_[others[6:], last[:5]], np.r_[others[:6], last[5:]])]
    assert choose_strength(MAPPINGS[name], features, labels, inner, GRID, 0).C in GRID


def test_no_unlucky_split_chooses_a_model_that_is_sure_and_wrong() -> None:
    """Judged by Brier score on one quarter of these 60 rows, C was 1000 for five of the eight seeds, the worst log loss 1.30."""
    test_features, test_labels = clusters(3000, 99)
    losses = []
    for seed in range(8):
        features, labels = clusters(60, seed)
        chosen = choose_strength(SOFTMAX, features, labels, inner_folds(labels, seed=seed), GRID, 0)
        assert 0.01 < chosen.C < 100
        model = linear_model(SOFTMAX, C=chosen.C, seed=0).fit(features, labels)
        log_p = np.asarray(log_probabilities(scores_of(model, test_features)))
        losses.append(-log_p[np.arange(len(test_labels)), test_labels].mean())
    assert max(losses) < 0.85


def test_no_fold_learns_from_the_rows_that_it_is_judged_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels without any signal: an optimistic curve would choose a weak penalty, as one with starts from other folds does."""
    generator = np.random.default_rng(5)
    features, labels = generator.normal(size=(60, 30)), generator.integers(0, 2, 60)
    inner = inner_folds(labels, seed=0)
    folds = [InnerFold(SOFTMAX, features, labels, pair, 0) for pair in inner]
    for C in (1.0, 100.0):
        together = [float(next(fold.along([C])).mean()) for fold in folds]
        alone = [float(next(InnerFold(SOFTMAX, features, labels, pair, 0).along([C])).mean()) for pair in inner]
        assert together == alone
    assert choose_strength(SOFTMAX, features, labels, inner, GRID, 0).C <= 0.1
