"""Public reports about calibration tools: each failure described there does not happen here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from lastlayer.evaluation import Evaluation, evaluate_scores

#: The temperature and its neighbours are what these reports are about.
MAPS = ("temperature", "vector")


def draw(n: int, n_classes: int, factor: float, spread: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are `factor` times those of a calibrated model, and labels."""
    random = np.random.default_rng(seed)
    scores = spread * random.normal(size=(n, n_classes))
    labels = (softmax(scores, axis=1).cumsum(axis=1) > random.random((n, 1))).argmax(axis=1)
    return factor * scores, labels


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(-log_softmax(scores, axis=1)[np.arange(len(labels)), labels].mean())


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature by Brent's method."""
    found = minimize_scalar(lambda log_t: log_loss(scores / np.exp(log_t), labels), bracket=(-1.0, 1.0), tol=1e-10)
    return float(np.exp(found.x))


def codes(result: Evaluation) -> set[str]:
    return {finding.code for finding in result.findings}


def test_probabilities_are_calibrated_by_their_logarithms():
    """scikit-learn 34312: a sigmoid is fitted to the probabilities of a classifier that has nothing else, not to log p."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 4000)
    # One feature five times: naive Bayes takes copies for independent evidence and is overconfident.
    features = np.repeat(labels[:, None] + random.normal(size=(4000, 1)), 5, axis=1)
    p = GaussianNB().fit(features[:2000], labels[:2000]).predict_proba(features[2000:])
    labels = labels[2000:]
    result = evaluate_scores(p, labels, maps=MAPS)
    assert result.kind == "probabilities"
    assert "probabilities" in codes(result)
    assert result.map("temperature").calibrator.temperature == pytest.approx(temperature(np.log(p), labels), rel=1e-6)
    assert result.map("temperature").calibrator.temperature > 2
    # What taking p for scores would reach at best.
    wrong = log_loss(p / temperature(p, labels), labels)
    assert result.map("temperature").log_loss.value < wrong - 0.01
    assert result.verdict == "overconfident"


def test_scores_and_their_probabilities_get_the_same_answer():
    """netcal: temperature scaling takes probabilities alone, clips scores to [0, 1], and may return its input (issue 48)."""
    scores, labels = draw(3000, 5, factor=2.0)
    p = softmax(scores, axis=1)
    from_scores, from_p = evaluate_scores(scores, labels, maps=MAPS), evaluate_scores(p, labels, maps=MAPS)
    assert (from_scores.kind, from_p.kind) == ("scores", "probabilities")
    for name in ("log_loss", "brier", "accuracy", "ece"):
        assert from_scores.metrics[name].value == pytest.approx(from_p.metrics[name].value, rel=1e-9)
    for name in MAPS:
        one, other = from_scores.map(name), from_p.map(name)
        # log p is x less a number per row, which a weight per class does not leave alone.
        close = 1e-3 if name == "vector" else 1e-6
        assert one.log_loss.value == pytest.approx(other.log_loss.value, rel=close)
    one, other = (result.map("temperature").calibrator for result in (from_scores, from_p))
    assert one.temperature == pytest.approx(other.temperature, rel=1e-6)
    np.testing.assert_allclose(one.probabilities(scores), other.probabilities(p), rtol=1e-5)
    assert np.abs(other.probabilities(p) - p).max() > 0.1
    assert from_p.map("temperature").ece < from_p.metrics["ece"].value / 3


def test_scores_are_not_clipped_to_the_range_of_probabilities():
    """TorchUncertainty 179: `fit` clamps a network's scores to [eps, 1 − eps], after which they are nearly equal."""
    scores, labels = draw(3000, 4, factor=4.0)
    result = evaluate_scores(scores.astype(np.float32), labels, maps=["temperature"])
    assert result.kind == "scores"
    assert "probabilities" not in codes(result)
    found = result.map("temperature").calibrator.temperature
    assert found == pytest.approx(temperature(scores, labels), rel=1e-4)
    assert found == pytest.approx(4.0, rel=0.1)
    assert temperature(np.clip(scores, 1e-7, 1 - 1e-7), labels) < 1


@pytest.mark.parametrize("seed", range(12))
def test_a_temperature_is_positive_and_keeps_the_order(seed):
    """AutoGluon 4396: gradient steps on few rows ended at −1242; ROC AUC fell from 0.915 to 0.099."""
    scores, labels = draw(40, 3, factor=8.0, spread=0.4, seed=seed)
    result = evaluate_scores(scores, labels, maps=["temperature", "temperature_prior"])
    found = [each.calibrator for each in result.maps if each.name.startswith("temperature")]
    assert all(np.isfinite(each.temperature) and each.temperature > 0 for each in found)
    p = result.calibrator.probabilities(scores)
    assert np.isfinite(p).all()
    if result.advice.mapping in ("none", "temperature"):
        np.testing.assert_array_equal(p.argmax(axis=1), scores.argmax(axis=1))
    if result.advice.mapping != "none":
        before = roc_auc_score(labels, softmax(scores, axis=1), multi_class="ovo")
        assert roc_auc_score(labels, p, multi_class="ovo") > before - 0.1


def test_a_model_that_ranks_the_classes_backwards_gets_a_finding_and_no_negative_temperature():
    """AutoGluon 4397: a negative temperature is chosen where a constant is better than the model."""
    scores, labels = draw(1000, 3, factor=-2.0)
    result = evaluate_scores(scores, labels)
    assert codes(result) >= {"below_chance", "no_information"}
    assert all(each.calibrator.temperature > 0 for each in result.maps)
    assert "temperature" not in [each.name for each in result.maps]


def test_an_overconfident_network_of_100_classes_gets_a_temperature_near_3():
    """gpleiss/temperature_scaling 20: 1386304.25, with log loss 2.441 before and 4.605 = log 100 after."""
    scores, labels = draw(5000, 100, factor=3.0, spread=3.0)
    result = evaluate_scores(scores.astype(np.float32), labels, maps=["temperature"])
    before, found = result.metrics["log_loss"].value, result.map("temperature")
    assert found.interval.low < 3.0 < found.interval.high
    assert found.calibrator.temperature == pytest.approx(temperature(scores, labels), rel=1e-4)
    assert found.log_loss.value < before - 0.5
    assert result.advice.mapping == "temperature"


def test_scores_without_information_get_a_finding_and_no_huge_temperature():
    """The same report, at its end: the temperature runs away where the scores say nothing about the labels."""
    random = np.random.default_rng(0)
    scores, labels = 2 * random.normal(size=(4000, 100)), random.integers(0, 100, 4000)
    result = evaluate_scores(scores, labels, maps=["temperature"])
    assert "no_information" in codes(result)
    assert all(each.calibrator.temperature < 1000 for each in result.maps)
    assert result.metrics["log_loss"].value > np.log(100)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confidence_of_exactly_1_counts(dtype):
    """torchmetrics 3510: confidences of exactly 1 are in a hidden bin behind the last one."""
    scores, labels = draw(2000, 3, factor=1.0, spread=1.0)
    sure = np.zeros((1000, 3))
    sure[np.arange(1000), np.arange(1000) % 3] = 400.0
    actual = (np.arange(1000) + (np.arange(1000) % 10 == 0)) % 3
    result = evaluate_scores(np.vstack([scores, sure]).astype(dtype), np.append(labels, actual), maps=["temperature"])
    bins = result.reliability
    assert sum(each["n"] for each in bins) == result.n_rows == 3000
    (last,) = [each for each in bins if each["confidence"] == 1]
    assert (last["n"], last["accuracy"]) == (1000, 0.9)
    # These rows alone are a third of all, each 0.1 too confident.
    assert result.metrics["ece"].value > 0.1 / 3
    plain = sum(each["n"] * abs(each["confidence"] - each["accuracy"]) for each in bins) / 3000
    assert result.metrics["ece"].plain == pytest.approx(plain, rel=0.02)


def test_probabilities_of_exactly_0_and_1_of_two_classes_count():
    """torchmetrics 1646: a probability of exactly 0 ended in an index error."""
    p = np.array([1.0, 1.0, 1.0, 1.0, 0.0] * 40)
    labels = np.array([0, 0, 1, 1, 1] * 40)
    result = evaluate_scores(p, labels, maps=["temperature"])
    assert sum(each["n"] for each in result.reliability) == 200
    assert result.metrics["accuracy"].value == pytest.approx(0.4)
    assert result.metrics["ece"].plain == pytest.approx(0.6)
    assert "zero_probability" in codes(result)
    assert result.metrics["log_loss"].value == np.inf
