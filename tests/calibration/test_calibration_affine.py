"""Bias, vector and matrix scaling find the minima of their losses, stay finite, and do not depend on where they begin."""

from __future__ import annotations

import numpy as np
import pytest
from calibrated_data import planted
from scipy import optimize

from lastlayer.calibration import Calibrator, ScoreRows
from lastlayer.calibration.fit import UnboundedError, fit_map


def distorted(rows: int, classes: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose calibration needs a weight and a bias per class."""
    scores, labels = planted(rows, classes, seed=seed)
    random = np.random.default_rng(seed)
    return (scores - random.normal(size=classes)) / random.uniform(0.5, 1.5, classes), labels


def total_loss(z: np.ndarray, labels: np.ndarray) -> float:
    largest = z.max(axis=1)
    return float(np.sum(largest + np.log(np.exp(z - largest[:, None]).sum(axis=1)) - z[np.arange(len(z)), labels]))


def penalised(name: str, parameters: np.ndarray, scores: np.ndarray, labels: np.ndarray, beta: float) -> float:
    """The loss that the docstrings state, written with scipy's solver in mind."""
    k = scores.shape[1]
    if name == "temperature_prior":
        return total_loss(parameters[0] * scores + parameters[1:], labels) + 0.5 * float(np.sum(parameters[1:] ** 2))
    weight, bias = parameters[:k], parameters[k:]
    at_the_mean = bias + (weight - beta) * scores.mean(axis=0)
    penalty = np.sum(scores.var(axis=0) * (weight - beta) ** 2) + np.sum((at_the_mean - at_the_mean.mean()) ** 2)
    return total_loss(weight * scores + bias, labels) + 0.5 * float(penalty)


@pytest.mark.parametrize("name", ["temperature_prior", "vector"])
@pytest.mark.parametrize("classes", [2, 3, 8])
def test_a_map_is_at_the_minimum_of_its_loss(name: str, classes: int) -> None:
    scores, labels = distorted(400, classes)
    beta = 1 / fit_map("temperature", ScoreRows(scores), labels).calibrator.temperature
    start = np.concatenate([[beta] if name == "temperature_prior" else np.full(classes, beta), np.zeros(classes)])
    best = optimize.minimize(
        lambda parameters: penalised(name, parameters, scores, labels, beta),
        start,
        method="BFGS",
        options={"gtol": 1e-6},
    )
    found = fit_map(name, ScoreRows(scores), labels).calibrator
    first = [1 / found.temperature] if found.weight is None else found.weight
    ours = np.concatenate([first, found.bias])
    assert penalised(name, ours, scores, labels, beta) <= best.fun + 1e-6
    assert np.allclose(ours, best.x, atol=2e-4)


@pytest.mark.parametrize("name", ["temperature_prior", "vector", "matrix"])
def test_where_the_search_begins_does_not_matter(name: str) -> None:
    scores, labels = distorted(300, 4)
    plain = fit_map(name, ScoreRows(scores), labels).calibrator
    other = fit_map(name, ScoreRows(*[distorted(300, 4, seed=9)[0]]), distorted(300, 4, seed=9)[1]).calibrator
    begun = fit_map(name, ScoreRows(scores), labels, initial=other).calibrator
    assert np.allclose(plain.probabilities(scores), begun.probabilities(scores), atol=1e-5)


def test_float32_scores_give_what_float64_ones_give() -> None:
    scores, labels = distorted(2000, 12)
    for name in ("temperature_prior", "vector"):
        wide = fit_map(name, ScoreRows(scores), labels).calibrator.probabilities(scores)
        narrow = fit_map(name, ScoreRows(scores.astype(np.float32)), labels).calibrator.probabilities(scores)
        assert np.abs(wide - narrow).max() < 1e-4


def test_each_map_corrects_what_it_is_made_for() -> None:
    scores, labels = planted(6000, 4)
    random = np.random.default_rng(1)
    mixed = scores @ (np.eye(4) + 0.4 * random.normal(size=(4, 4))).T

    def losses(values: np.ndarray) -> dict[str, float]:
        names = ("none", "temperature", "temperature_prior", "vector", "matrix")
        fitted = [fit_map(name, ScoreRows(values[:4000]), labels[:4000]).calibrator for name in names]
        held = values[4000:], labels[4000:]
        return {
            name: total_loss(fit.transform(held[0]), held[1]) / 2000 for name, fit in zip(names, fitted, strict=True)
        }

    truth = total_loss(scores[4000:], labels[4000:]) / 2000
    biased = losses(2 * scores + np.array([1.0, 0.0, -1.0, 0.5]))
    assert biased["temperature_prior"] < truth + 0.005 < biased["temperature"] - 0.02
    scaled = losses(scores * np.array([0.5, 1.0, 2.0, 3.0]))
    assert scaled["vector"] < truth + 0.01 < scaled["temperature_prior"] - 0.02
    turned = losses(mixed)
    assert turned["matrix"] < truth + 0.01 < turned["vector"] - 0.01


def test_a_class_without_a_row_and_separable_classes_stay_finite() -> None:
    scores, labels = planted(200, 5)
    scores, labels = scores[labels != 2], labels[labels != 2]
    for name in ("temperature_prior", "vector", "matrix"):
        found = fit_map(name, ScoreRows(scores), labels).calibrator
        assert found.bias is not None
        assert np.isfinite(found.bias).all()
        assert np.abs(found.bias).max() < 30
        assert found.bias[2] == found.bias.min()


def test_equal_scores_leave_the_class_frequencies() -> None:
    labels = np.repeat([0, 1, 2], [700, 250, 50])
    found = fit_map("temperature_prior", ScoreRows(np.zeros((1000, 3))), labels).calibrator
    assert found.temperature == 1.0
    assert np.allclose(found.probabilities(np.zeros((1, 3))), [[0.7, 0.25, 0.05]], atol=0.002)


def test_opposed_scores_are_turned_by_weights_alone() -> None:
    scores, labels = planted(2000, 3)
    for name in ("vector", "matrix"):
        found = fit_map(name, ScoreRows(-scores), labels).calibrator
        assert np.mean(found.probabilities(-scores).argmax(axis=1) == labels) > 0.6
    with pytest.raises(UnboundedError):
        fit_map("temperature_prior", ScoreRows(-scores), labels)


def test_an_unknown_map_is_named() -> None:
    scores, labels = planted(50, 3)
    with pytest.raises(ValueError, match="There is no mapping 'platt'"):
        fit_map("platt", ScoreRows(scores), labels)


def test_the_model_as_it_is_has_nothing_fitted() -> None:
    scores, labels = planted(50, 3)
    found = fit_map("none", ScoreRows(scores), labels)
    assert isinstance(found.calibrator, Calibrator)
    assert found.calibrator.transform(scores) is scores
    assert found.interval is None
