"""Features of any scale give a finite fit or a ValueError, never a fit that reports convergence without finite numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from planted_problems import CLASSES, blobs
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier
from lastlayer.sklearn.column_scale import column_exponents, column_sizes, scale_columns, scale_penalty
from lastlayer.sklearn.problem import join_theta, linear_problem, split_theta

X, LABELS = blobs(rows=60, features=3, seed=4)
LARGEST = np.finfo(float).max
EXPONENTS = (
    -323,
    -310,
    -300,
    -200,
    -170,
    -160,
    -150,
    -100,
    -40,
    -20,
    -16,
    16,
    20,
    40,
    100,
    150,
    154,
    155,
    170,
    200,
    300,
)
SCALES = {f"1e{e}": float(f"1e{e}") for e in EXPONENTS} | {"largest": LARGEST / 8}
#: Name → features made from X and a scale.
TABLES = {
    "one more column": lambda scale: np.c_[X, X[:, 0] * scale],
    "one more column of one sign": lambda scale: np.c_[X, np.abs(X[:, 0]) * scale],
    "a constant": lambda scale: np.c_[X, np.full(len(X), scale)],
    "one entry": lambda scale: np.c_[X, np.where(np.arange(len(X)) == 7, scale, 0.0)],
    "every column": lambda scale: X * scale,
    "with its inverse": lambda scale: np.c_[X[:, 0] * scale, X[:, 1] / max(scale, 1e-300), X[:, 2]],
}


def fit(mapping: str, features: Any, **options: Any) -> LastLayerClassifier:
    with warnings.catch_warnings():
        # Any other warning is an error.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LastLayerClassifier(mapping, max_iter=60, n_restarts=1, **options).fit(features, LABELS)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mapping", ll.MAPPINGS)
def test_every_scale_gives_numbers(mapping: str, table: str, container: Any) -> None:
    # Sparse features take the same path, so every third scale is enough.
    for scale in list(SCALES.values())[:: 1 if container is np.asarray else 3]:
        features = container(TABLES[table](scale))
        model = fit(mapping, features)
        assert np.isfinite(model.coef_).all(), scale
        assert np.isfinite(model.intercept_).all(), scale
        assert np.isfinite(model.objective_), scale
        # Not worse than predicting the class frequencies, which is W = 0.
        worst = {"interior_point": np.log(CLASSES), "margin": 1.0}.get(ll.MAPPINGS[mapping].linear.method, 5.0)
        assert model.objective_ <= len(X) * worst * (1 + 1e-6), scale
        if ll.MAPPINGS[mapping].linear.method != "interior_point":
            assert np.isfinite(model.decision_function(features)).all(), scale


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-170, 1e-155, 1e-20])
@pytest.mark.parametrize("mapping", ll.MAPPINGS)
def test_a_column_too_small_to_matter_changes_nothing(mapping: str, scale: float) -> None:
    without, with_column = fit(mapping, X), fit(mapping, np.c_[X, X[:, 0] * scale])
    assert with_column.converged_ == without.converged_
    # This column makes the solver choose other variables, so that another point within tol is found.
    np.testing.assert_allclose(with_column.coef_[:, :3], without.coef_, rtol=5e-3, atol=5e-3)
    assert np.abs(with_column.coef_[:, 3]).max() < 1e-10


@pytest.mark.parametrize("scale", [s for s in SCALES.values() if s > 1e15])
def test_a_large_column_is_as_good_as_one_without_penalty(scale: float) -> None:
    """Softmax, compared with scikit-learn on the same column at size 1 with a negligible penalty."""
    unit = X[:, 0] / np.abs(X[:, 0]).max()
    column = (unit * min(scale, LARGEST / 2))[:, None]
    reference = LogisticRegression(C=1e8, tol=1e-10, max_iter=10_000).fit(unit[:, None], LABELS)
    model = fit("softmax", column, tol=1e-8)
    assert model.converged_
    np.testing.assert_allclose(model.predict_proba(column), reference.predict_proba(unit[:, None]), atol=1e-3)


@pytest.mark.parametrize("scale", [1e-150, 1e-60, 1e60, 1e150])
@pytest.mark.parametrize("mapping", ["softmax", "sparsemax", "hardmax"])
def test_features_and_strength_scaled_together_are_the_same_fit(mapping: str, scale: float) -> None:
    """½‖W‖²/C with W = V/s and C = C₁/s² is ½‖V‖²/C₁."""
    C = 1.0 / scale / scale
    usual, moved = fit(mapping, X, tol=1e-8), fit(mapping, X * scale, tol=1e-8, C=C)
    np.testing.assert_allclose(moved.coef_ * scale, usual.coef_, rtol=1e-4, atol=1e-5)


def test_usual_columns_are_left_as_they_are() -> None:
    problem = linear_problem(X, LABELS, np.ones(len(X)), CLASSES, C=1.0, fit_intercept=False)
    assert problem.design is X
    assert not problem.exponents.any()
    np.testing.assert_array_equal(problem.penalty, np.full((3, 1), 1.0 / len(X)))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_scaled_columns_are_the_same_problem(container: Any) -> None:
    features = X * np.array([1e200, 1.0, 1e-155])
    problem = linear_problem(container(features), LABELS, np.ones(len(X)), CLASSES, C=1e300, fit_intercept=True)
    assert problem.exponents[0] > 600
    assert problem.exponents[1] == 0
    assert problem.exponents[2] < 0
    theta = np.random.default_rng(0).normal(size=(4, CLASSES))
    weights, intercepts = split_theta(problem, theta)
    np.testing.assert_allclose(features @ weights + intercepts, problem.scores(theta), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(join_theta(problem, weights, intercepts), theta)
    assert join_theta(problem, weights[:2], intercepts) is None


def test_sizes_and_exponents() -> None:
    features = np.array([[0.0, 5e-324, -3.0, 1e308, 0.75], [0.0, 0.0, 2.0, -1.7e308, 0.5]])
    sizes = column_sizes(features)
    assert sizes.tolist() == [0, -1073, 2, 1024, 0]
    assert column_sizes(sparse.csr_array(features)).tolist() == sizes.tolist()
    exponents = column_exponents(sizes, 0.0)
    assert exponents.tolist() == [0, -1073, 0, 1024, 0]
    largest = np.abs(scale_columns(features, exponents)).max(axis=0)
    assert ((largest[[1, 3]] >= 0.5) & (largest[[1, 3]] < 1.0)).all()
    assert np.isinf(scale_penalty(1.0, np.array([-600]))).all()
    assert scale_penalty(1.0, np.array([600])).tolist() == [2.0**-50]
    assert scale_penalty(0.0, np.array([-600, 600])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("mapping", ll.MAPPINGS)
@pytest.mark.parametrize("weight", [1e-308, 1.0, 1e300])
@pytest.mark.parametrize("C", [5e-324, 1e-300, 1e-30, 1e30, 1e300, LARGEST])
def test_every_strength_and_sample_weight_gives_numbers_or_an_error(mapping: str, C: float, weight: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LastLayerClassifier(mapping, C=C, max_iter=30, n_restarts=1)
        try:
            model.fit(X, LABELS, np.full(len(X), weight))
        except ValueError as error:
            assert "C is" in str(error) or "cannot be fitted" in str(error)  # noqa: PT017
        else:
            assert np.isfinite(model.coef_).all()
            assert np.isfinite(model.objective_)


def test_sample_weights_without_a_finite_sum_are_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight sums to more than the largest float64"):
        LastLayerClassifier().fit(X, LABELS, np.full(len(X), 1e308))


def test_a_loss_that_is_nowhere_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither raises StopIteration nor returns a fit that is not finite."""
    monkeypatch.setattr("lastlayer.sklearn.descent.ll.loss_and_grad", lambda scores, *_, **__: (np.nan, scores))
    with pytest.raises(ValueError, match=r"sparsemax cannot be fitted.*Bring the features to a common scale"):
        LastLayerClassifier("sparsemax").fit(X, LABELS)


def test_a_solver_that_breaks_down_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("lastlayer.sklearn.fitting.fit_margins", singular)
    with pytest.raises(ValueError, match="hardmax cannot be fitted"):
        LastLayerClassifier("hardmax").fit(X, LABELS)


def test_a_warm_start_keeps_the_scale() -> None:
    features = np.c_[X, X[:, 0] * 1e250]
    model = LastLayerClassifier("sparsemax", warm_start=True, tol=1e-5).fit(features, LABELS)
    first = model.n_iter_
    assert model.fit(features, LABELS).n_iter_ <= 3 < first
