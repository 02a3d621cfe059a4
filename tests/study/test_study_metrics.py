"""Metrics against scikit-learn's and against definitions written out row by row."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from lastlayer import MAPPINGS, softmax
from lastlayer.study.fit.bins import calibration_error, equal_mass_bins, histogram, reliability
from lastlayer.study.fit.metrics import measure


def rows(seed: int = 0, n: int = 200, classes: int = 4, scale: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return scale * generator.normal(size=(n, classes)), generator.integers(0, classes, n)


def test_softmax_metrics_are_scikit_learns() -> None:
    scores, labels = rows()
    p = softmax(scores)
    values = measure(MAPPINGS["softmax"], scores, labels).values
    assert values["accuracy"] == accuracy_score(labels, p.argmax(axis=1))
    assert values["brier"] == pytest.approx(
        brier_score_loss(labels, p, labels=range(4), scale_by_half=False), rel=1e-12
    )
    assert values["log_loss"] == pytest.approx(log_loss(labels, p, labels=range(4)), rel=1e-12)
    assert values["sharpness"] == pytest.approx(p.max(axis=1).mean(), rel=1e-12)
    assert values["support_size"] == 4
    assert (values["invalid_rows"], values["infinite_share"], values["ece_rows"]) == (0, 0.0, 200)


def test_log_loss_is_not_clipped() -> None:
    """p(true) = e^-800 underflows; its logarithm does not."""
    values = measure(MAPPINGS["softmax"], np.array([[0.0, 800.0], [0.0, 800.0]]), np.array([0, 1])).values
    assert values["log_loss"] == pytest.approx(400.0)
    assert values["infinite_share"] == 0.0
    assert values["support_size"] == 2


def test_zero_probability_of_a_true_class_is_infinite_and_counted() -> None:
    scores = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.2, 0.1, 0.0], [1.0, 0.9, -5.0]])
    values = measure(MAPPINGS["sparsemax"], scores, np.array([0, 0, 0, 0])).values
    assert values["log_loss"] == math.inf
    assert values["infinite_share"] == 0.25
    assert values["invalid_share"] == 0.0
    assert values["log_loss_valid"] == math.inf
    assert values["support_size"] == pytest.approx((1 + 1 + 3 + 2) / 4)


def test_rows_outside_the_domain_count_as_the_worst() -> None:
    scores = np.array([[0.75, 0.25], [0.5, 0.5], [2.0, -1.0], [-1.0, -1.0]])
    values = measure(MAPPINGS["ratio"], scores, np.array([0, 1, 0, 1])).values
    assert values["accuracy"] == pytest.approx(1 / 4)
    # 2·(1/4)² and 2·(1/2)², then 2 for each row outside.
    assert values["brier"] == pytest.approx(float(Fraction(1, 8) + Fraction(1, 2) + 4) / 4)
    assert values["log_loss"] == math.inf
    assert values["infinite_share"] == values["invalid_share"] == 0.5
    assert values["invalid_rows"] == values["ece_rows"] == 2
    assert values["accuracy_valid"] == 0.5
    assert values["brier_valid"] == pytest.approx(5 / 16)
    assert values["log_loss_valid"] == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert values["sharpness"] == pytest.approx(0.625)


def test_no_row_inside_the_domain_leaves_nothing_to_measure() -> None:
    measured = measure(MAPPINGS["ratio"], -np.ones((3, 2)), np.array([0, 1, 0]))
    assert measured.values["brier"] == 2.0
    assert measured.values["accuracy"] == 0.0
    assert math.isnan(measured.values["ece"])
    assert math.isnan(measured.values["brier_valid"])
    assert np.isnan(measured.confidence).all()
    assert (measured.predicted == -1).all()
    # Every row has the class frequencies, which rank nothing.
    assert measured.values["roc_auc"] == 0.5


def test_the_top_class_is_of_the_probabilities_not_of_the_scores() -> None:
    assert measure(MAPPINGS["spherical"], np.array([[-3.0, 1.0]]), np.array([0])).values["accuracy"] == 1.0


def test_equal_mass_bins_hold_equally_many_rows() -> None:
    confidence = np.random.default_rng(0).random(150)
    bins = equal_mass_bins(confidence)
    assert np.bincount(bins).tolist() == [10] * 15
    order = np.argsort(confidence)
    assert np.all(np.diff(bins[order]) >= 0)


def test_ties_share_a_bin() -> None:
    confidence = np.array([1.0] * 40 + [0.5, 0.6, 0.7, 0.8] * 5)
    bins = equal_mass_bins(confidence)
    for value in np.unique(confidence):
        assert len(set(bins[confidence == value])) == 1


def test_calibration_error_by_its_definition() -> None:
    generator = np.random.default_rng(5)
    confidence = generator.random(61)
    correct = generator.random(61) < confidence**2
    bins, total = equal_mass_bins(confidence), 0.0
    for b in range(15):
        inside = bins == b
        total += inside.sum() / 61 * abs(correct[inside].mean() - confidence[inside].mean())
    assert calibration_error(confidence, correct) == pytest.approx(total, rel=1e-12)
    assert total > 0.05


def test_certain_answers_are_off_by_their_errors() -> None:
    assert calibration_error(np.ones(30), np.arange(30) < 24) == pytest.approx(0.2)
    assert calibration_error(np.full(30, 0.8), np.arange(30) < 24) == pytest.approx(0.0, abs=1e-15)


def test_reliability_and_histogram_count_every_row() -> None:
    generator = np.random.default_rng(2)
    confidence, correct = generator.random(100), generator.random(100) < 0.5
    table = reliability(confidence, correct)
    assert sum(row["n"] for row in table) == 100
    assert sum(row["n"] * row["accuracy"] for row in table) == pytest.approx(correct.sum())
    assert sum(row["n"] * row["confidence"] for row in table) == pytest.approx(confidence.sum())
    bars = histogram(np.append(confidence, [0.0, 1.0, 1.0 + 2**-52]))
    assert len(bars) == 20
    assert sum(bar["count"] for bar in bars) == 103
    assert bars[-1]["right"] == 1.0
