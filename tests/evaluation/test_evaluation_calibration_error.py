"""Calibration errors against torchmetrics, brute force and the true error of planted models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from lastlayer import softmax
from lastlayer.calibration import ScoreRows
from lastlayer.evaluation.metrics import Measures, measure, reliability, top_label_error
from lastlayer.evaluation.metrics.binned_error import corrected_gaps
from lastlayer.evaluation.metrics.bins import N_BINS, bin_edges
from lastlayer.evaluation.metrics.calibration_errors import measure_top_label
from lastlayer.evaluation.metrics.class_bins import class_bins
from lastlayer.evaluation.metrics.class_wise import class_wise, class_wise_influence
from lastlayer.evaluation.predictions import MappedScores
from lastlayer.study.fit.bins import equal_mass_bins


def planted(n: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels drawn from their softmax."""
    generator = np.random.default_rng(seed)
    scores = 2 * generator.standard_normal((n, n_classes))
    return scores, (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)


def measured(p: np.ndarray, labels: np.ndarray, draws: int = 1) -> Measures:
    return measure(MappedScores(ScoreRows(p, "probabilities"), labels), draws=draws)


def evenly_spread(n: int, low: float) -> np.ndarray:
    """n values from `low` to 1, n / N_BINS in each of N_BINS equally wide bins on [0, 1]."""
    inside = np.random.default_rng(1).uniform(0.05, 0.95, (n // N_BINS, N_BINS))
    return np.maximum((np.arange(N_BINS) + inside) / N_BINS, low).ravel()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_top_label_error_is_torchmetrics(dtype):
    """Equally wide bins are those of equal mass here; with 40 classes the confidence may be near 0."""
    generator = np.random.default_rng(0)
    confidence = evenly_spread(600, 0.03)
    p = np.repeat(((1 - confidence) / 39)[:, np.newaxis], 40, axis=1)
    p[np.arange(600), generator.integers(0, 40, 600)] = confidence
    p, labels = p.astype(dtype), generator.integers(0, 40, 600)
    labels[:250] = p[:250].argmax(axis=1)
    expected = multiclass_calibration_error(torch.tensor(p), torch.tensor(labels), 40, n_bins=N_BINS)
    assert measured(p, labels).metrics["ece"].plain == pytest.approx(float(expected), rel=1e-5)


def test_class_wise_error_of_two_classes_is_torchmetrics_binary_one():
    p = evenly_spread(900, 0.0)
    labels = (np.random.default_rng(2).random(900) < p**2).astype(np.int64)
    expected = binary_calibration_error(torch.tensor(p), torch.tensor(labels), n_bins=N_BINS)
    assert measured(p, labels).metrics["classwise_ece"].plain == pytest.approx(float(expected), rel=1e-6)


def test_one_row_with_p_1_is_in_the_last_bin():
    """torchmetrics issue 3510: p = 1 is counted in a hidden bin after the last one, and cannot cancel what is in that."""
    p = evenly_spread(150, 0.0)
    p[p.argmax()] = 1.0
    is_right = np.random.default_rng(3).random(150) < 0.8 * p
    is_right[p.argmax()] = False
    is_right[np.argsort(p)[-8:-1]] = True
    at = np.histogram_bin_edges(p, N_BINS, (0, 1))
    places = np.minimum(np.digitize(p, at) - 1, N_BINS - 1)
    textbook = sum(abs((is_right - p)[places == b].sum()) for b in range(N_BINS)) / 150
    hidden = float(binary_calibration_error(torch.tensor(p), torch.tensor(is_right.astype(int)), n_bins=N_BINS))
    assert top_label_error(p, is_right)[1] == pytest.approx(textbook, rel=1e-12)
    assert hidden > textbook + 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_rows_with_p_1_have_a_bin_that_counts(dtype):
    """A fifth of the rows has p = 1, half of them wrong; their neighbours below 1 are underconfident."""
    confidence = np.concatenate([np.linspace(0.5, 0.999, 400), np.ones(100)]).astype(dtype)
    is_correct = np.concatenate([np.ones(400, dtype=bool), np.arange(100) < 50])
    bins = reliability(confidence, is_correct)
    assert bins[-1] == {"n": 100, "confidence": 1.0, "accuracy": 0.5, "low": 1.0, "high": 1.0}
    assert sum(one["n"] for one in bins) == 500
    debiased, plain = top_label_error(confidence, is_correct)
    # Nothing is random at p = 1, so that the whole error counts: 50 of 500 rows, and what the other rows lack to 1.
    assert plain == pytest.approx(0.1 + (1 - confidence[:400].astype(float)).sum() / 500, rel=1e-9)
    assert 0.1 + 0.9 * (plain - 0.1) < debiased < plain


def test_a_value_that_fills_a_bin_shares_it_with_nobody():
    generator = np.random.default_rng(4)
    for _ in range(100):
        values = np.round(generator.random(generator.integers(1, 200)), generator.integers(1, 4))
        ascending = np.sort(values)
        bins = np.searchsorted(bin_edges(ascending), values, side="right")
        assert sorted(set(bins)) == list(range(bins.max() + 1))
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            assert len(set(bins[values == value])) == 1
            if count * N_BINS >= len(values):
                assert np.count_nonzero(bins == bins[values == value][0]) == count


def test_without_ties_the_bins_are_those_of_studies():
    for n in (3, 14, 15, 16, 100, 1001):
        values = np.random.default_rng(n).permutation(np.linspace(0.2, 0.9, n))
        bins = np.searchsorted(bin_edges(np.sort(values)), values, side="right")
        # Fewer rows than bins leave bins of the study empty.
        np.testing.assert_array_equal(bins, np.unique(equal_mass_bins(values), return_inverse=True)[1])


@pytest.mark.parametrize("gap", [0.0, 0.3, -1.0, 4.0])
@pytest.mark.parametrize("variance", [0.5, 3.0])
def test_the_correction_is_the_bias_of_an_absolute_value(gap, variance):
    law = stats.norm(gap, np.sqrt(variance))
    mean, _ = integrate.quad(lambda x: abs(x) * law.pdf(x), -40, 40, points=[0.0, gap], epsabs=1e-12, limit=200)
    found = corrected_gaps(np.array([7 + gap]), np.array([7.0]), np.array([variance]))
    assert found[0] == pytest.approx(2 * abs(gap) - mean, abs=1e-9)


def test_rare_labels_add_nothing_on_average():
    """In a bin that expects 0.02 labels the normal law would subtract several times what chance adds."""
    p = np.full(20, 0.001)
    found = corrected_gaps(np.arange(3.0), np.full(3, p.sum()), np.full(3, (p * (1 - p)).sum()))
    average = found @ stats.binom.pmf(np.arange(3), 20, 0.001)
    assert abs(average) < 0.001
    assert found[2] == pytest.approx(2 - p.sum(), rel=1e-3)


def brute_force(p: np.ndarray, labels: np.ndarray) -> tuple[float, float, np.ndarray]:
    """(debiased, plain, influence) of the class-wise error, one class and one bin after the other."""
    n, n_classes = p.shape
    debiased, plain, influence = 0.0, 0.0, np.zeros(n)
    for k in range(n_classes):
        order = sorted(range(n), key=lambda row: p[row, k])
        for b in range(N_BINS):
            rows = order[b * n // N_BINS : (b + 1) * n // N_BINS]
            gap = sum(p[row, k] - (labels[row] == k) for row in rows)
            variance = sum(p[row, k] * (1 - p[row, k]) for row in rows)
            folded = stats.foldnorm(abs(gap) / np.sqrt(variance), scale=np.sqrt(variance)).mean()
            debiased += abs(gap) - min(folded - abs(gap), 2 * variance)
            plain += abs(gap)
            for row in rows:
                influence[row] += np.sign(gap) * (p[row, k] - (labels[row] == k)) / n_classes
    return debiased / n / n_classes, plain / n / n_classes, influence


@pytest.mark.parametrize(("n", "n_classes"), [(300, 4), (40, 7), (20, 2)])
def test_class_wise_error_is_that_of_brute_force(n, n_classes, monkeypatch):
    # Many small blocks and parts.
    monkeypatch.setattr("lastlayer.evaluation.metrics.class_wise.BLOCK", 50)
    scores, labels = planted(n, n_classes)
    p = softmax(2 * scores)
    rows, is_valid = MappedScores(ScoreRows(2 * scores), labels), np.ones(n, dtype=bool)
    found = class_wise(rows, class_bins(p), is_valid, seed=0, draws=1)
    debiased, plain, influence = brute_force(p, labels)
    assert found.per_class.mean() == pytest.approx(debiased, rel=1e-9)
    assert found.plain == pytest.approx(plain, rel=1e-9)
    np.testing.assert_allclose(class_wise_influence(rows, found, is_valid), influence, atol=1e-12)


def test_classes_have_the_errors_whose_mean_is_the_class_wise_one():
    scores, labels = planted(2000, 3)
    found = measure(MappedScores(ScoreRows(3 * scores), labels), draws=1)
    assert min(one["ece"] for one in found.classes) > 0
    mean = np.mean([one["ece"] for one in found.classes])
    assert found.metrics["classwise_ece"].value == pytest.approx(mean, rel=1e-12)


def test_one_row_per_bin_is_no_error_and_no_warning():
    found = measured(np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0, 0]), draws=200)
    assert found.metrics["ece"].plain == pytest.approx((0.2 + 0.7) / 2)
    assert 0 < found.metrics["ece"].value < found.metrics["ece"].plain
    assert np.isnan(measured(np.array([[0.8, 0.2]]), np.array([0])).metrics["ece"].high)


def top_label_truth(temperature: float) -> float:
    """The calibration error of softmax(x / T) with two classes, if labels have the probabilities softmax(x), without noise."""
    difference = np.linspace(0, 30, 300_001)
    weight = stats.norm.pdf(difference, scale=2 * np.sqrt(2))
    gaps = np.abs(1 / (1 + np.exp(-difference)) - 1 / (1 + np.exp(-difference / temperature)))
    return float((weight * gaps).sum() / weight.sum())


@pytest.mark.parametrize("temperature", [0.5, 0.7, 1.5, 2.0])
def test_the_interval_covers_the_true_error(temperature, monkeypatch):
    """120 sets of 1000 rows: an interval with half the width covers it in about 80, one around the plain error in fewer too."""
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 200)
    truth, covered, values = top_label_truth(temperature), 0, []
    for seed in range(120):
        scores, labels = planted(1000, 2, seed)
        p = softmax(scores / temperature)
        found, _ = measure_top_label(p.max(axis=1), p.argmax(axis=1) == labels, None, seed=seed, draws=200)
        covered += found.low <= truth <= found.high
        values.append(found.value)
    assert covered >= 106
    assert abs(np.mean(values) - truth) < 0.004


@pytest.mark.parametrize("temperature", [0.7, 1.1, 2.0])
def test_the_class_wise_interval_covers_the_true_error(temperature, monkeypatch):
    """The truth has no noise: the mean probability of labels in the bins of 200 000 rows. All classes have the same error."""
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 100)
    scores, _ = planted(200_000, 20, 99)
    right, p = softmax(scores)[:, 0], softmax(scores / temperature)[:, 0]
    gaps = np.add.reduceat((right - p)[np.argsort(p)], np.arange(N_BINS) * 200_000 // N_BINS)
    truth, covered = np.abs(gaps).sum() / 200_000, 0
    for seed in range(40):
        scores, labels = planted(800, 20, seed)
        found = measure(MappedScores(ScoreRows(scores / temperature), labels), draws=100).metrics["classwise_ece"]
        covered += found.low <= truth <= found.high
    assert covered >= 37
    assert found.high < 2 * truth + 0.01


def test_a_calibrated_models_interval_reaches_zero(monkeypatch):
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 200)
    lows = []
    for seed in range(40):
        scores, labels = planted(500, 3, seed)
        metrics = measure(MappedScores(ScoreRows(scores), labels), seed=seed).metrics
        lows.append([metrics["ece"].low, metrics["classwise_ece"].low])
    assert np.count_nonzero(lows, axis=0).max() <= 3
