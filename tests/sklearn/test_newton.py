"""Truncated Newton for softmax: the Hessian, its preconditioners, and optima of badly scaled problems."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planted_problems import CLASSES, blobs
from scipy import sparse
from scipy.special import softmax

import lastlayer as ll
from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair
from lastlayer.mappings.normalized import NormalizedPoint
from lastlayer.sklearn import LastLayerClassifier
from lastlayer.sklearn.curvature import Curvature
from lastlayer.sklearn.newton import has_known_hessian
from lastlayer.sklearn.preconditioner import Preconditioners, centred
from lastlayer.sklearn.problem import LinearProblem, linear_problem
from lastlayer.sklearn.standardised import standardise

X, LABELS = blobs(rows=60, features=5, seed=2)
X = X * np.array([1e-3, 1.0, 1e3, 1.0, 0.0]) + np.array([0.0, 1e4, 0.0, 0.0, 7.0])
#: The factor of the Hessian's blocks that makes up for the projection of the part common to all classes.
SCALE = CLASSES / (CLASSES - 1)
WEIGHT = np.random.default_rng(3).integers(1, 4, size=len(LABELS)).astype(float)


def planted(container: type = np.asarray, *, fit_intercept: bool = True) -> LinearProblem:
    return linear_problem(container(X), LABELS, WEIGHT, CLASSES, C=0.3, fit_intercept=fit_intercept)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_standardised_variables_are_the_same_problem(container: type, fit_intercept: bool) -> None:
    problem = planted(container, fit_intercept=fit_intercept)
    standardised = standardise(problem)
    theta = np.random.default_rng(0).normal(size=(problem.penalty.size, CLASSES)) / (1.0 + np.abs(X).max())
    inner = standardised.enter(theta)
    np.testing.assert_allclose(standardised.problem.scores(inner), problem.scores(theta), rtol=1e-9, atol=1e-12)
    assert standardised.problem.penalised(inner) == pytest.approx(problem.penalised(theta), rel=1e-12)
    np.testing.assert_allclose(standardised.leave(inner), theta, rtol=1e-9, atol=1e-12)
    assert sparse.issparse(standardised.problem.design) == sparse.issparse(problem.design)


def test_standardised_features_have_mean_zero_and_size_one() -> None:
    problem = standardise(planted()).problem
    mean, square = problem.row_weight @ problem.design, problem.row_weight @ problem.design**2
    np.testing.assert_allclose(mean, [0, 0, 0, 0, 0, 1], atol=1e-10)
    np.testing.assert_allclose(square, [1, 1, 1, 1, 0, 1], atol=1e-10)


def at(problem: LinearProblem, theta: np.ndarray) -> tuple[Curvature, np.ndarray]:
    """The curvature moved to θ, and the probabilities there by SciPy."""
    p = softmax(problem.scores(theta), axis=1)
    curvature = Curvature(problem)
    curvature.move_to(problem.row_weight[:, None] * (p - np.eye(CLASSES)[LABELS]))
    return curvature, p


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_products_are_those_of_the_whole_hessian(container: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with the matrix summed row by row; the product uses several blocks of rows."""
    monkeypatch.setattr("lastlayer.sklearn.curvature.BLOCK", 20 * CLASSES)
    problem = standardise(planted(container)).problem
    random = np.random.default_rng(1)
    size = problem.penalty.size
    curvature, p = at(problem, random.normal(size=(size, CLASSES)))
    hessian = np.kron(np.eye(CLASSES), np.diag(problem.penalty[:, 0]))
    for x, q, weight in zip(problem.scores(np.eye(size)), p, problem.row_weight, strict=True):
        hessian += weight * np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x))
    step = random.normal(size=(size, CLASSES))
    exact = (hessian @ step.T.ravel()).reshape(CLASSES, size).T
    np.testing.assert_allclose(curvature.multiply(step), exact, atol=1e-5 * np.abs(exact).max())


def exact_blocks(problem: LinearProblem, p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """A_k⁻¹ applied to column k of the gradient, from the full matrices."""
    penalty = np.diag(np.where(problem.penalty[:, 0] > 0, problem.penalty[:, 0], 1e-6))
    blocks = [(problem.design.T * (problem.row_weight * q * (1 - q) * SCALE)) @ problem.design + penalty for q in p.T]
    return np.stack([np.linalg.solve(block, column) for block, column in zip(blocks, gradient.T, strict=True)], axis=1)


def test_blocks_of_all_rows_are_exact_and_of_some_close(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = standardise(planted()).problem
    random = np.random.default_rng(2)
    curvature, p = at(problem, random.normal(size=(problem.penalty.size, CLASSES)))
    gradient = random.normal(size=(problem.penalty.size, CLASSES))
    exact = exact_blocks(problem, p, gradient)
    monkeypatch.setattr("lastlayer.sklearn.preconditioner.ROWS", 100)
    np.testing.assert_allclose(Preconditioners(curvature).blocks()(gradient), exact, rtol=1e-4)
    monkeypatch.setattr("lastlayer.sklearn.preconditioner.ROWS", 4)
    some = Preconditioners(curvature).blocks()(gradient)
    shared = Preconditioners(curvature).shared()(gradient)
    assert np.linalg.norm(some - exact) < 0.5 * np.linalg.norm(shared - exact)


def test_the_shared_form_is_exact_where_all_rows_have_the_same_probabilities() -> None:
    problem = standardise(planted()).problem
    theta = np.zeros((problem.penalty.size, CLASSES))
    theta[-1] = [0.5, 0.0, -1.0]
    curvature, p = at(problem, theta)
    gradient = np.random.default_rng(4).normal(size=theta.shape)
    np.testing.assert_allclose(
        Preconditioners(curvature).shared()(gradient), exact_blocks(problem, p, gradient), rtol=1e-4
    )


def test_the_shared_form_is_the_inverse_where_all_classes_are_equally_likely() -> None:
    problem = standardise(planted()).problem
    curvature, _ = at(problem, np.zeros((problem.penalty.size, CLASSES)))
    step = np.random.default_rng(7).normal(size=(problem.penalty.size, CLASSES))
    step -= step.mean(axis=1, keepdims=True)
    found = centred(Preconditioners(curvature).shared())(curvature.multiply(step))
    np.testing.assert_allclose(found, step, rtol=1e-3)


def test_a_wide_design_gets_the_diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lastlayer.sklearn.preconditioner.WIDEST", 3)
    problem = standardise(planted(sparse.csr_array)).problem
    random = np.random.default_rng(5)
    curvature, p = at(problem, random.normal(size=(problem.penalty.size, CLASSES)))
    design = problem.design.toarray()
    diagonal = (design**2).T @ (problem.row_weight[:, None] * p * (1 - p) * SCALE) + np.where(
        problem.penalty > 0, problem.penalty, 1e-6
    )
    gradient = random.normal(size=(problem.penalty.size, CLASSES))
    np.testing.assert_allclose(Preconditioners(curvature).shared()(gradient), gradient / diagonal, rtol=1e-4)


def test_centred_steps_sum_to_zero() -> None:
    gradient = np.random.default_rng(6).normal(size=(4, CLASSES))
    np.testing.assert_allclose(centred(lambda g: g * [1.0, 2.0, 3.0])(gradient).sum(axis=1), 0.0, atol=1e-14)


def relative_gap(model: LastLayerClassifier, features: np.ndarray) -> float:
    """An upper bound of the gap: the objective is 1/C-strongly convex in W, so it is within C/2 ‖∂F/∂W‖² of its optimum."""
    scores = features @ model.coef_.T + model.intercept_
    residuals = softmax(scores, axis=1) - np.eye(CLASSES)[LABELS]
    np.testing.assert_allclose(residuals.sum(axis=0), 0.0, atol=1e-6)
    gradient = residuals.T @ features + model.coef_ / model.C
    return 0.5 * model.C * float(np.sum(gradient**2)) / model.objective_


@pytest.mark.parametrize("has_blocks", [False, True])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_features_of_any_scale_and_offset_take_few_iterations(
    C: float, has_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chosen(Preconditioners):
        """Blocks in every step but the first, or in none."""

        def __init__(self, curvature: Curvature, moments: np.ndarray | None):
            super().__init__(curvature, moments)
            self.has_blocks, self.price = has_blocks, -1.0

    monkeypatch.setattr("lastlayer.sklearn.newton.Preconditioners", Chosen)
    features = X / np.array([1e-3, 1e3, 1e3, 1.0, 7.0])
    model = LastLayerClassifier(C=C, tol=1e-12).fit(features, LABELS)
    assert model.converged_
    assert model.n_iter_ <= 15
    assert relative_gap(model, features) < 1e-9


def test_only_softmax_has_the_hessian_of_softmax() -> None:
    assert [name for name, mapping in ll.MAPPINGS.items() if has_known_hessian(mapping)] == ["softmax"]
    assert not has_known_hessian(ll.MAPPINGS["entmax"].replace(alpha=1.0))


def test_a_sharper_softmax_is_fitted_too() -> None:
    """p = softmax(2x) under ½‖W‖²/C is softmax under ½‖2W‖²/(4C)."""

    def carry(scores: np.ndarray, xp: object) -> Carried:
        twice = 2.0 + 0.0 * scores
        return Carried(exponent=2.0 * scores, derivative=lambda: Pair(twice, 0.0 * scores), slope=lambda: twice)

    sharper = dataclasses.replace(
        ll.MAPPINGS["softmax"],
        name="sharper",
        evaluate=lambda scores, xp: NormalizedPoint(scores, carry, (0.0, float("inf")), False, xp),
    )
    assert not has_known_hessian(sharper)
    features = X / np.array([1e-3, 1e4, 1e3, 1.0, 7.0])
    model = LastLayerClassifier(sharper, C=0.5, tol=1e-7, max_iter=2000).fit(features, LABELS)
    softmaxs = LastLayerClassifier(C=2.0, tol=1e-9).fit(features, LABELS)
    np.testing.assert_allclose(2.0 * model.coef_, softmaxs.coef_, rtol=1e-3, atol=1e-3)
