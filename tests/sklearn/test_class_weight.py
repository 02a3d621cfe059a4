"""Class weights, and fits without a penalty, compared with scikit-learn and with sample weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted_problems import blobs
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_sample_weight

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

X, LABELS = blobs()
NAMES = np.array(["ant", "bee", "cat"])
SAMPLE_WEIGHT = np.random.default_rng(5).integers(0, 4, size=len(LABELS)).astype(float)
WEIGHTS: dict[str, Any] = {
    "balanced": "balanced",
    "every class": {"ant": 3.0, "bee": 0.5, "cat": 1.0},
    "one class": {"bee": 4.0},
    "integers": {"ant": 2, "cat": 3},
}
with_every_weight = pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)


@with_every_weight
@pytest.mark.parametrize("mapping", ll.MAPPINGS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_class_weight_is_a_sample_weight(mapping: str, weight: Any) -> None:
    model = LastLayerClassifier(mapping, n_restarts=1)
    labels = NAMES[LABELS]
    by_class = clone(model).set_params(class_weight=weight).fit(X, labels)
    by_row = clone(model).fit(X, labels, compute_sample_weight(weight, labels))
    np.testing.assert_array_equal(by_class.coef_, by_row.coef_)
    assert by_class.objective_ == by_row.objective_
    assert not np.array_equal(by_class.coef_, clone(model).fit(X, labels).coef_)


@with_every_weight
@pytest.mark.parametrize("sample_weight", [None, SAMPLE_WEIGHT], ids=["alone", "with sample weights"])
def test_softmax_is_scikit_learns(weight: Any, sample_weight: Any) -> None:
    labels = NAMES[LABELS]
    ours = LastLayerClassifier(class_weight=weight, C=0.3, tol=1e-9).fit(X, labels, sample_weight)
    # "balanced" by sample weight: scikit-learn counts classes by weight only from 1.7 on.
    theirs = LogisticRegression(class_weight=weight, C=0.3, tol=1e-10, max_iter=5000).fit(X, labels, sample_weight)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_half_of_the_strength_of_scikit_learns_for_two_classes(C: float) -> None:
    """½‖W‖² contains both rows of W; the docstring derives the factor."""
    labels = LABELS == 0
    ours = LastLayerClassifier(C=C / 2, tol=1e-10).fit(X, labels)
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(X, labels)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(ours.coef_[1] - ours.coef_[0], theirs.coef_[0], atol=1e-4)
    assert "C is half of scikit-learn's" in LastLayerClassifier.__doc__


@pytest.mark.parametrize("labels", [LABELS, LABELS == 0], ids=["three classes", "two classes"])
def test_without_penalty_softmax_is_scikit_learns(labels: np.ndarray) -> None:
    noisy = np.where(np.arange(len(labels)) % 4 == 0, np.roll(labels, 1), labels)
    ours = LastLayerClassifier(C=np.inf, tol=1e-9).fit(X, noisy)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(X, noisy)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("mapping", [name for name, record in ll.MAPPINGS.items() if record.linear.method == "loss"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_penalty_is_the_limit_of_a_weak_penalty(mapping: str) -> None:
    noisy = np.where(np.arange(len(LABELS)) % 4 == 0, (LABELS + 1) % 3, LABELS)
    free, weak = (
        LastLayerClassifier(mapping, C=C, n_restarts=1, tol=1e-7, max_iter=2000).fit(X, noisy) for C in (np.inf, 1e9)
    )
    assert np.isfinite(free.coef_).all()
    assert free.objective_ == pytest.approx(weak.objective_, rel=5e-3)


@pytest.mark.parametrize("mapping", [name for name, record in ll.MAPPINGS.items() if record.linear.method == "loss"])
def test_separable_classes_without_penalty_stop_at_tol(mapping: str) -> None:
    far = X + 8.0 * np.eye(3, X.shape[1])[LABELS]
    model = LastLayerClassifier(mapping, C=np.inf, n_restarts=1).fit(far, LABELS)
    assert model.converged_
    assert np.isfinite(model.coef_).all()
    assert model.score(far, LABELS) > 0.95


def test_more_features_than_rows_without_penalty() -> None:
    wide = np.random.default_rng(0).normal(size=(12, 40))
    model = LastLayerClassifier(C=np.inf).fit(wide, np.arange(12) % 3)
    assert model.converged_
    assert model.score(wide, np.arange(12) % 3) == 1.0


@pytest.mark.parametrize("mapping", [name for name, record in ll.MAPPINGS.items() if record.linear.method != "loss"])
def test_methods_that_need_a_penalty_say_so(mapping: str) -> None:
    with pytest.raises(ValueError, match=f"C is inf, but {mapping} is trained by .* needs a penalty; give a finite C"):
        LastLayerClassifier(mapping, C=np.inf).fit(X, LABELS)


def test_grid_search_over_strength_and_class_weight() -> None:
    grid = {"C": [0.01, 1.0, np.inf], "class_weight": [None, "balanced", {0: 2.0}]}
    search = GridSearchCV(LastLayerClassifier(), grid, cv=2, error_score="raise").fit(X, LABELS)
    assert len(search.cv_results_["params"]) == 9
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_class_weight_is_an_estimator_parameter() -> None:
    assert LastLayerClassifier().get_params()["class_weight"] is None
    assert clone(LastLayerClassifier(class_weight={0: 2.0})).class_weight == {0: 2.0}


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("balance", "class_weight"),
        ([1.0, 2.0], "class_weight"),
        ({"dog": 1.0}, "class_weight"),
        ({0: -1.0}, "class_weight is .* give finite weights of 0 or more"),
        ({0: np.nan}, "class_weight is .* give finite weights of 0 or more"),
        ({0: 0.0}, "no row of class 0 has a sample_weight above 0 after multiplication by class_weight"),
    ],
)
def test_a_bad_class_weight_is_named_in_the_error(weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LastLayerClassifier(class_weight=weight).fit(X, LABELS)


def test_balanced_refuses_a_class_without_sample_weight() -> None:
    with pytest.raises(ValueError, match="no row of class 1"):
        LastLayerClassifier(class_weight="balanced").fit(X, LABELS, np.where(LABELS == 1, 0.0, 1.0))
