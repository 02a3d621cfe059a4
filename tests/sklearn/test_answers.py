"""Every row gets probabilities that sum to one, and every scorer of scikit-learn a number, under every mapping."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planted_problems import blobs
from scipy.special import softmax
from sklearn.model_selection import cross_val_score

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

X, LABELS = blobs(rows=60)
RATIO = ll.MAPPINGS["ratio"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score", "roc_auc_ovr", "roc_auc", "accuracy"])
@pytest.mark.parametrize("mapping", ll.MAPPINGS)
def test_every_scorer_gives_numbers(mapping: str, scoring: str) -> None:
    labels = LABELS == 0 if scoring == "roc_auc" else LABELS
    # Wide features, so that test rows are outside the ratio's domain.
    features = np.c_[X, X[:, 0] ** 3]
    model = LastLayerClassifier(mapping, n_restarts=1)
    scores = cross_val_score(model, features, labels, scoring=scoring, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    assert scores.std() > 0


@pytest.mark.parametrize("mapping", [RATIO, dataclasses.replace(RATIO, laws=RATIO.laws - {"order_preserving"})])
def test_outside_the_domain_positive_scores_share(mapping: ll.ProbabilityMapping) -> None:
    model = LastLayerClassifier(mapping, tol=1e-8).fit(X, LABELS)
    far = 100.0 * X
    scores = far @ model.coef_.T + model.intercept_
    p = model.predict_proba(far)
    is_inside = (scores >= 0).all(axis=1)
    assert not is_inside.all()
    has_positive = (scores > 0).any(axis=1)
    positive = np.maximum(scores, 0)[has_positive]
    np.testing.assert_allclose(p[has_positive], positive / positive.sum(axis=1, keepdims=True), rtol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(model.predict_log_proba(far), np.log(p), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(far)[has_positive], np.argmax(scores, axis=1)[has_positive])


@pytest.mark.parametrize("mapping", ["ratio", "spherical"])
def test_without_a_positive_score_the_answer_is_the_frequencies(mapping: str) -> None:
    weight = np.where(LABELS == 2, 7.0, 1.0)
    model = LastLayerClassifier(mapping).fit(X, LABELS, weight)
    frequencies = np.bincount(LABELS, weight) / weight.sum()
    np.testing.assert_allclose(model.class_frequencies_, frequencies, rtol=1e-12)
    # The largest score is the first class's, the largest frequency the last one's.
    model.coef_ = np.zeros_like(model.coef_)
    model.intercept_ = np.array([-1.0, -2.0, -3.0]) if mapping == "ratio" else np.zeros(3)
    np.testing.assert_array_equal(model.predict_proba(X), np.tile(model.class_frequencies_, (len(X), 1)))
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12)
    assert (model.predict(X) == np.argmax(frequencies)).all()
    assert (np.argmax(model.decision_function(X), axis=1) == np.argmax(frequencies)).all()


def test_scores_near_the_largest_float_still_share() -> None:
    model = LastLayerClassifier("ratio").fit(X, LABELS)
    model.coef_, model.intercept_ = np.zeros_like(model.coef_), np.array([1e308, 1.5e308, -1.0])
    np.testing.assert_allclose(model.predict_proba(X[:1]), [[0.4, 0.6, 0.0]], rtol=1e-12)


def test_a_reserved_outcome_is_conditioned_away() -> None:
    """For softmax with a further outcome of score 0, the classes given one of them are softmax."""
    model = LastLayerClassifier("softmax_plus_one").fit(X, LABELS)
    for features in (X, 1e4 * X):
        scores = features @ model.coef_.T + model.intercept_
        np.testing.assert_allclose(model.predict_proba(features), softmax(scores, axis=1), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-9)


@pytest.mark.parametrize("mapping", ll.MAPPINGS)
def test_predictions_agree_with_unique_largest_probabilities(mapping: str) -> None:
    model = LastLayerClassifier(mapping).fit(X, LABELS)
    for features in (X, 10.0 * X):
        p = model.predict_proba(features)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
        is_unique = np.sum(p == p.max(axis=1, keepdims=True), axis=1) == 1
        assert is_unique.any()
        np.testing.assert_array_equal(model.predict(features)[is_unique], np.argmax(p, axis=1)[is_unique])
