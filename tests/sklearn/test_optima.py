"""Every method of fitting reaches the optimum that another kind of solver finds on a small problem."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from planted_problems import CLASSES, best_of_starts, blobs, dual_optimum, hinge_optimum
from sklearn.linear_model import LogisticRegression

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

X, LABELS = blobs()
TARGETS = np.eye(CLASSES)[LABELS]
STRENGTHS = (0.05, 1.0, 20.0)


def split(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (K, d), b (K,) and the scores of a flat vector."""
    weights = theta[: CLASSES * X.shape[1]].reshape(CLASSES, -1)
    intercepts = theta[-CLASSES:]
    return weights, intercepts, X @ weights.T + intercepts


def random_thetas(intercepts: np.ndarray, size: float, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [np.concatenate([size * random.normal(size=CLASSES * X.shape[1]), intercepts]) for _ in range(count)]


@pytest.mark.parametrize("C", STRENGTHS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_softmax_is_logistic_regression(C: float, fit_intercept: bool) -> None:
    theirs = LogisticRegression(C=C, tol=1e-12, solver="newton-cg", max_iter=1000, fit_intercept=fit_intercept).fit(
        X, LABELS
    )
    ours = LastLayerClassifier(C=C, tol=1e-9, fit_intercept=fit_intercept).fit(X, LABELS)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6, rtol=0)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6, rtol=0)


def shannon(p: np.ndarray) -> tuple[float, np.ndarray]:
    p = np.maximum(p, 1e-15)
    return -float(np.sum(p * np.log(p))), -np.log(p) - 1.0


def tsallis(alpha: float) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    def conjugate(p: np.ndarray) -> tuple[float, np.ndarray]:
        p = np.maximum(p, 0.0)
        return float(np.sum(p - p**alpha)) / (alpha * (alpha - 1)), (1.0 / alpha - p ** (alpha - 1)) / (alpha - 1)

    return conjugate


def margin(p: np.ndarray) -> tuple[float, np.ndarray]:
    return float(np.sum(p * (1.0 - TARGETS))), 1.0 - TARGETS


CONJUGATES = {"softmax": shannon, "sparsemax": tsallis(2.0), "entmax": tsallis(1.5), "hardmax": margin}


@pytest.mark.parametrize("C", STRENGTHS)
@pytest.mark.parametrize("mapping", CONJUGATES)
def test_convex_fits_meet_their_dual(mapping: str, C: float) -> None:
    """The dual's value is a lower bound, so reaching it proves the optimum."""
    bound, weights = dual_optimum(X, LABELS, C, CONJUGATES[mapping])
    model = LastLayerClassifier(mapping, C=C, tol=1e-8).fit(X, LABELS)
    assert model.objective_ == pytest.approx(bound, rel=1e-6)
    np.testing.assert_allclose(model.coef_, weights, atol=2e-3 * np.abs(weights).max())


@pytest.mark.parametrize("C", STRENGTHS)
def test_hardmax_meets_the_quadratic_program(C: float) -> None:
    model = LastLayerClassifier("hardmax", C=C, tol=1e-9).fit(X, LABELS)
    assert model.objective_ == pytest.approx(hinge_optimum(X, LABELS, C), rel=1e-7)


@pytest.mark.parametrize("C", STRENGTHS)
def test_ratio_meets_constrained_search(C: float) -> None:
    """Scores ≥ 0 and Σ intercepts = 1 as constraints of SLSQP, from many feasible starts."""

    def objective(theta: np.ndarray) -> float:
        weights, _, scores = split(theta)
        with np.errstate(invalid="ignore", divide="ignore"):
            losses = np.log(scores.sum(axis=1)) - np.log(np.maximum(np.sum(scores * TARGETS, axis=1), 1e-12))
        return float(losses.sum()) + 0.5 / C * float(np.sum(weights**2))

    constraints = [
        {"type": "ineq", "fun": lambda theta: split(theta)[2].ravel()},
        {"type": "eq", "fun": lambda theta: split(theta)[1].sum() - 1.0},
    ]
    found = best_of_starts(objective, random_thetas(TARGETS.mean(axis=0), 0.02, 10), constraints)
    model = LastLayerClassifier("ratio", C=C, tol=1e-8).fit(X, LABELS)
    assert model.converged_
    assert model.objective_ == pytest.approx(found, rel=1e-5)
    assert (X @ model.coef_.T + model.intercept_).min() > 0
    assert model.intercept_.sum() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("C", STRENGTHS)
def test_spherical_meets_constrained_search(C: float) -> None:
    def objective(theta: np.ndarray) -> float:
        weights, _, scores = split(theta)
        losses = np.log(np.sum(scores**2, axis=1)) - np.log(np.sum(scores**2 * TARGETS, axis=1))
        return float(losses.sum()) + 0.5 / C * float(np.sum(weights**2))

    on_sphere = [{"type": "eq", "fun": lambda theta: np.sum(split(theta)[1] ** 2) - 1.0}]
    found = best_of_starts(objective, random_thetas(np.sqrt(TARGETS.mean(axis=0)), 0.2, 12), on_sphere)
    model = LastLayerClassifier("spherical", C=C, tol=1e-8, n_restarts=12).fit(X, LABELS)
    assert np.linalg.norm(model.intercept_) == pytest.approx(1.0, rel=1e-12)
    assert model.objective_ == pytest.approx(found, rel=1e-5) or model.objective_ < found


@pytest.mark.parametrize("C", STRENGTHS)
@pytest.mark.parametrize("mapping", ["taylor", "stablemax", "softplus_ratio", "sigmoid_ratio", "softmax_plus_one"])
def test_normalized_fits_meet_a_search_without_gradients(mapping: str, C: float) -> None:
    """Finite differences of −log p: no formula of a loss or gradient is used."""

    def objective(theta: np.ndarray) -> float:
        weights, _, scores = split(theta)
        p = ll.probabilities(scores, mapping=mapping)
        return -float(np.sum(np.log(np.sum(p * TARGETS, axis=1)))) + 0.5 / C * float(np.sum(weights**2))

    found = best_of_starts(objective, random_thetas(np.zeros(CLASSES), 0.3, 3), [])
    model = LastLayerClassifier(mapping, C=C, tol=1e-7).fit(X, LABELS)
    assert model.objective_ == pytest.approx(objective(np.append(model.coef_.ravel(), model.intercept_)), rel=1e-12)
    # Some mappings have their optimum at infinite intercepts, which neither search reaches exactly.
    assert model.objective_ <= found * (1 + 1e-4)


@pytest.mark.parametrize(
    "mapping", [n for n, m in ll.MAPPINGS.items() if "sums_to_one" in m.laws and m.linear.method != "margin"]
)
def test_without_features_probabilities_are_class_frequencies(mapping: str) -> None:
    model = LastLayerClassifier(mapping, tol=1e-8).fit(np.zeros((len(X), 1)), LABELS)
    np.testing.assert_allclose(model.predict_proba([[0.0]])[0], TARGETS.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("mapping", ["softmax", "sparsemax", "entmax", "entmax:alpha=1.3"])
def test_free_intercepts_make_the_mean_probability_the_class_frequency(mapping: str) -> None:
    """∂/∂b = Σ(p − y) = 0 at the optimum of every Fenchel–Young loss."""
    model = LastLayerClassifier(mapping, tol=1e-8).fit(X, LABELS)
    np.testing.assert_allclose(model.predict_proba(X).mean(axis=0), TARGETS.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("mapping", ["softmax", "hardmax", "sparsemax", "entmax"])
def test_a_free_shift_is_fixed_at_zero(mapping: str) -> None:
    model = LastLayerClassifier(mapping, tol=1e-8).fit(X, LABELS)
    assert abs(model.intercept_.sum()) < 1e-12
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-6)
