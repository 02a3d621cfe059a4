"""Rotated and reduced variables describe the same problem, and its solution is the one of the full problem."""

from __future__ import annotations

import numpy as np
import pytest
from planted_problems import CLASSES, blobs
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier, coordinates
from lastlayer.sklearn.coordinates import principal_axes
from lastlayer.sklearn.problem import LinearProblem, linear_problem

LABELS = blobs(rows=24)[1]
RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.integers(1, 4, size=24).astype(float)
#: More features than rows, and less; with an offset, a constant column and a repeated one.
WIDE = RANDOM.normal(size=(24, 50)) + 3.0
TALL = np.c_[RANDOM.normal(size=(24, 4)) * [1.0, 10.0, 0.1, 1.0], np.full(24, 5.0)] + 3.0
TALL = np.c_[TALL, TALL[:, :1]]
both = pytest.mark.parametrize("features", [WIDE, TALL], ids=["wide", "tall"])


def planted(features: np.ndarray, *, fit_intercept: bool = True, C: float = 0.3) -> LinearProblem:
    return linear_problem(features, LABELS, WEIGHT, CLASSES, C=C, fit_intercept=fit_intercept)


@both
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("keeps_offset", [True, False])
def test_the_problem_is_the_same(features: np.ndarray, fit_intercept: bool, keeps_offset: bool) -> None:
    problem = planted(features, fit_intercept=fit_intercept)
    inner = coordinates.coordinates(problem, keeps_offset=keeps_offset)
    assert inner.is_uncorrelated
    assert inner.problem.penalty.size <= min(features.shape) + fit_intercept + keeps_offset
    theta = RANDOM.normal(size=(inner.problem.penalty.size, CLASSES))
    outer = inner.leave(theta)
    np.testing.assert_allclose(problem.scores(outer), inner.problem.scores(theta), rtol=1e-9, atol=1e-9)
    assert problem.penalised(outer) == pytest.approx(inner.problem.penalised(theta), rel=1e-9)
    np.testing.assert_allclose(inner.enter(outer), theta, rtol=1e-9, atol=1e-9)
    if fit_intercept and keeps_offset:
        np.testing.assert_allclose((inner.to_intercept.T @ theta)[0], outer[-1], rtol=1e-9, atol=1e-9)
    gram = inner.problem.gram(problem.row_weight)
    np.testing.assert_allclose(gram, np.diag(inner.moments[:, 0]), atol=1e-9 * gram.max())


@both
def test_the_gradient_is_that_of_standardised_features(features: np.ndarray) -> None:
    problem = planted(features)
    inner = coordinates.coordinates(problem)
    residuals = RANDOM.normal(size=(24, CLASSES)) * problem.row_weight[:, None]
    mean = problem.row_weight @ features
    spread = np.sqrt(problem.row_weight @ (features - mean) ** 2)
    is_constant = spread < 1e-9
    standard = np.where(is_constant, 0.0, (features - mean) / np.where(is_constant, 1.0, spread))
    expected = np.vstack([standard.T @ residuals, residuals.sum(axis=0)])
    found = inner.standardised_gradient(inner.problem.pull_back(residuals))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_axes_are_those_of_the_singular_value_decomposition() -> None:
    for features in (WIDE, TALL):
        centred = features - WEIGHT @ features / WEIGHT.sum()
        squares, axes = principal_axes(centred, WEIGHT)
        sizes = np.linalg.svd(centred * np.sqrt(WEIGHT)[:, None], compute_uv=False)
        np.testing.assert_allclose(np.sort(squares)[::-1], sizes[: len(squares)] ** 2, rtol=1e-9)
        assert (sizes[len(squares) :] < 1e-9 * sizes[0]).all()
        np.testing.assert_allclose(axes.T @ axes, np.eye(len(squares)), atol=1e-9)


def test_small_directions_are_not_lost_by_squaring() -> None:
    """A spectrum down to 1e-6.5: the squares' rounding would lose half of its digits."""
    left, _ = np.linalg.qr(RANDOM.normal(size=(24, 24)))
    right, _ = np.linalg.qr(RANDOM.normal(size=(50, 24)))
    matrix = left @ (np.logspace(0, -6.5, 24)[:, None] * right.T)
    squares, _ = principal_axes(matrix, np.ones(24))
    np.testing.assert_allclose(np.sqrt(np.sort(squares)[::-1]), np.logspace(0, -6.5, 24), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("mapping", ll.MAPPINGS)
def test_the_reduced_solution_is_the_unreduced_one(mapping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features = RANDOM.normal(size=(24, 40)) + 0.5
    # Losses without a scale are flat around their optimum, and have one minimum only if the penalty is strong.
    is_flat = mapping in ("ratio", "spherical")
    C = 1e-3 if is_flat else 0.02
    reduced = LastLayerClassifier(mapping, C=C, tol=1e-8, n_restarts=1, max_iter=3000).fit(features, LABELS)
    monkeypatch.setattr(coordinates, "WIDEST", 0)
    full = LastLayerClassifier(mapping, C=C, tol=1e-8, n_restarts=1, max_iter=3000).fit(features, LABELS)
    assert reduced.objective_ == pytest.approx(full.objective_, rel=1e-4 if is_flat else 1e-6)
    np.testing.assert_allclose(reduced.coef_, full.coef_, atol=(5e-2 if is_flat else 2e-3) * np.abs(full.coef_).max())


def test_softmax_with_more_features_than_rows_is_logistic_regression() -> None:
    for C in (1e-2, 1.0, 100.0):
        ours = LastLayerClassifier(C=C, tol=1e-9).fit(WIDE, LABELS, WEIGHT)
        theirs = LogisticRegression(C=C, tol=1e-12, solver="newton-cg", max_iter=1000).fit(WIDE, LABELS, WEIGHT)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


def test_what_cannot_be_rotated_is_standardised() -> None:
    wild = TALL * np.logspace(-6, 6, TALL.shape[1])
    for features in (wild, sparse.csr_array(TALL)):
        inner = coordinates.coordinates(planted(features))
        assert not inner.is_uncorrelated
        assert sparse.issparse(inner.problem.design) == sparse.issparse(features)


@pytest.mark.parametrize(
    "mapping", ["softmax", "sparsemax", "entmax", "spherical", "taylor", "stablemax", "sigmoid_ratio"]
)
@pytest.mark.filterwarnings("error")
def test_features_in_their_units_converge(mapping: str) -> None:
    """Wine as it is: means from 0.1 to 750, and spreads from 0.1 to 300."""
    model = LastLayerClassifier(mapping).fit(*load_wine(return_X_y=True))
    assert model.converged_
    assert model.n_iter_ <= 100
