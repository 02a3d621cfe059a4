"""The behaviour of the classifier that users rely on, for every mapping."""

from __future__ import annotations

import dataclasses
import pickle
import warnings

import numpy as np
import pytest
from planted_problems import blobs
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

X, LABELS = blobs()
WEIGHTS = np.random.default_rng(3).integers(0, 4, size=len(LABELS))
RATIO = ll.MAPPINGS["ratio"]
NAMES = list(ll.MAPPINGS)
every_mapping = pytest.mark.parametrize("mapping", NAMES)


def fitted(
    mapping: str | ll.ProbabilityMapping, *, labels: np.ndarray = LABELS, tol: float = 1e-8, **options: object
) -> LastLayerClassifier:
    return LastLayerClassifier(mapping, tol=tol, n_restarts=2, max_iter=2000, **options).fit(X, labels)


@every_mapping
def test_sample_weight_is_repetition(mapping: str) -> None:
    """A row of weight k is the row repeated k times; a row of weight 0 is no row."""
    model = LastLayerClassifier(mapping, tol=1e-8, n_restarts=2, max_iter=2000)
    weighted = clone(model).fit(X, LABELS, sample_weight=WEIGHTS)
    repeated = clone(model).fit(X.repeat(WEIGHTS, axis=0), LABELS.repeat(WEIGHTS))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-4, atol=1e-5)
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=1e-7)


@every_mapping
def test_sparse_features_give_the_dense_fit(mapping: str) -> None:
    thin = np.where(np.abs(X) > 0.5, X, 0.0)
    # A sparse design is not centred; with a weak penalty the ratio has several minima, and another path ends in another one.
    options = {"tol": 1e-8, "n_restarts": 2, "max_iter": 2000, "C": 1e-2 if mapping == "ratio" else 1.0}
    dense = LastLayerClassifier(mapping, **options).fit(thin, LABELS)
    rows = LastLayerClassifier(mapping, **options).fit(sparse.csr_array(thin), LABELS)
    np.testing.assert_allclose(rows.coef_, dense.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        rows.predict_proba(sparse.csc_array(thin)), rows.predict_proba(thin), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(
    "names", [np.array(["ant", "bee", "cat"]), np.array([-3, 7, 40]), np.array(["a", "b", "c"], dtype=object)], ids=str
)
@pytest.mark.parametrize("mapping", ["softmax", "ratio", "hardmax"])
def test_labels_of_any_kind(mapping: str, names: np.ndarray) -> None:
    plain, named = fitted(mapping), fitted(mapping, labels=names[LABELS])
    np.testing.assert_array_equal(named.coef_, plain.coef_)
    np.testing.assert_array_equal(named.predict(X), names[plain.predict(X)])


@every_mapping
def test_two_classes(mapping: str) -> None:
    """Boolean labels; one column of decisions, whose sign is the prediction."""
    model = fitted(mapping, labels=LABELS == 0)
    decisions = model.decision_function(X)
    assert decisions.shape == (len(X),)
    assert model.coef_.shape == (2, X.shape[1])
    np.testing.assert_array_equal(model.predict(X), decisions > 0)
    assert model.predict(X).dtype == bool
    assert model.score(X, LABELS == 0) > max(0.6, np.mean(LABELS != 0) - 0.1)


@every_mapping
def test_decisions_and_probabilities_rank_alike(mapping: str) -> None:
    model = fitted(mapping)
    # Features far enough out for scores of both signs, where a mapping that is not order-preserving ranks differently.
    wide = X if ll.MAPPINGS[mapping].linear.method == "interior_point" else 20.0 * X
    p = model.predict_proba(wide)
    scores = wide @ model.coef_.T + model.intercept_
    if "sums_to_one" in ll.MAPPINGS[mapping].laws:
        np.testing.assert_array_equal(p, ll.probabilities(scores, mapping=mapping))
        np.testing.assert_array_equal(model.predict_log_proba(wide), ll.log_probabilities(scores, mapping=mapping))
    decided = np.argmax(model.decision_function(wide), axis=1)
    np.testing.assert_array_equal(model.predict(wide), decided)
    assert (p[np.arange(len(X)), decided] == p.max(axis=1)).all()
    if "order_preserving" in ll.MAPPINGS[mapping].laws:
        np.testing.assert_array_equal(model.decision_function(wide), scores)
    else:
        assert (decided != np.argmax(scores, axis=1)).any()


@every_mapping
def test_the_same_seed_gives_the_same_fit(mapping: str) -> None:
    first, second = (LastLayerClassifier(mapping, random_state=5).fit(X, LABELS) for _ in range(2))
    np.testing.assert_array_equal(first.coef_, second.coef_)
    assert first.restart_spread_ == second.restart_spread_ >= 0.0
    if "convex_loss" in ll.MAPPINGS[mapping].laws:
        assert first.restart_spread_ == 0.0


def test_the_best_restart_is_kept_and_the_spread_is_reported() -> None:
    features, labels = blobs(rows=40)
    alone = LastLayerClassifier("spherical", n_restarts=1).fit(features, labels > 0)
    several = LastLayerClassifier("spherical", n_restarts=16).fit(features, labels > 0)
    assert alone.restart_spread_ == 0.0
    assert several.objective_ < 0.9 * alone.objective_
    assert several.restart_spread_ >= alone.objective_ - several.objective_


@every_mapping
def test_warm_start_continues(mapping: str) -> None:
    model = LastLayerClassifier(mapping, n_restarts=1, warm_start=True, tol=1e-5, max_iter=2000).fit(X, LABELS)
    cold = model.n_iter_, model.objective_
    model.fit(X, LABELS)
    assert model.objective_ <= cold[1] * (1 + 1e-3)
    if ll.MAPPINGS[mapping].linear.method == "loss":
        assert model.n_iter_ <= 3 < cold[0]
    # Other classes or features than before: the default start, and no error.
    model.fit(X[:, :1], LABELS == 0)
    assert model.coef_.shape == (2, 1)


@pytest.mark.parametrize("mapping", ["softmax", "ratio", "hardmax"])
def test_a_fit_cut_short_warns_with_the_remedy(mapping: str) -> None:
    with pytest.warns(
        ConvergenceWarning, match=f"{mapping} stopped after 1 iterations.*Raise max_iter .now 1.*lower C"
    ):
        model = LastLayerClassifier(mapping, max_iter=1, n_restarts=1).fit(X, LABELS)
    assert not model.converged_
    assert model.n_iter_ == 1


@every_mapping
def test_a_finished_fit_does_not_warn(mapping: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LastLayerClassifier(mapping).fit(X, LABELS).converged_


@every_mapping
def test_more_penalty_means_smaller_weights(mapping: str) -> None:
    sizes = [np.linalg.norm(LastLayerClassifier(mapping, C=C).fit(X, LABELS).coef_) for C in (1e-4, 1e-2, 1.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.2 * sizes[2]


def test_records_and_names_with_parameters() -> None:
    by_name = fitted("entmax:alpha=1.3")
    by_record = fitted(ll.MAPPINGS["entmax"].replace(alpha=1.3))
    np.testing.assert_array_equal(by_name.coef_, by_record.coef_)
    assert not np.allclose(by_name.coef_, fitted("entmax").coef_)
    users_own = dataclasses.replace(ll.MAPPINGS["softmax"], name="mine")
    # Served by the formulas, while the built-in record has kernels: the same up to rounding.
    np.testing.assert_allclose(fitted(users_own).coef_, fitted("softmax").coef_, rtol=1e-6, atol=1e-9)


def test_a_fitted_classifier_can_be_pickled() -> None:
    model = fitted("entmax:alpha=1.3")
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mapping": "sparsmax"}, ValueError, "sparsemax"),
        ({"mapping": 3}, TypeError, "mapping is 3"),
        ({"C": 0}, ValueError, "C is 0; give a number above 0, or np.inf for no penalty"),
        ({"C": float("-inf")}, ValueError, "C is -inf"),
        ({"tol": float("inf")}, ValueError, "tol is inf; give a finite number above 0"),
        ({"C": float("nan")}, ValueError, "C is nan"),
        ({"C": "1"}, ValueError, "C is '1'"),
        ({"tol": -1e-3}, ValueError, "tol is -0.001"),
        ({"max_iter": 2.5}, ValueError, "max_iter is 2.5; give a whole number"),
        ({"n_restarts": 0}, ValueError, "n_restarts is 0"),
        ({"mapping": "ratio", "fit_intercept": False}, ValueError, "set fit_intercept=True"),
        ({"mapping": "spherical", "fit_intercept": False}, ValueError, "set fit_intercept=True"),
    ],
)
def test_a_bad_argument_is_named_in_the_error(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LastLayerClassifier(**options).fit(X, LABELS)


def test_bad_labels_and_weights_are_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="y has only one class, 4; give rows of at least two classes"):
        LastLayerClassifier().fit(X, np.full(len(X), 4))
    with pytest.raises(ValueError, match="no row of class 'b' has a sample_weight above 0"):
        LastLayerClassifier().fit([[0.0], [1.0], [2.0]], ["a", "b", "c"], sample_weight=[1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        LastLayerClassifier().fit(X, LABELS, sample_weight=np.full(len(X), -1.0))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_users_domain_is_never_left_while_training() -> None:
    """Without the interior-point method a line search stops where a score reaches zero: above the optimum, but inside."""
    stuck = dataclasses.replace(RATIO, linear=dataclasses.replace(RATIO.linear, method="loss"))
    model, best = LastLayerClassifier(stuck, C=20.0).fit(X, LABELS), fitted("ratio", C=20.0)
    assert best.objective_ < model.objective_ < len(X) * np.log(3)
    assert ((X @ model.coef_.T + model.intercept_) >= 0).all()


def test_an_interior_path_for_another_loss_is_refused() -> None:
    linear = dataclasses.replace(ll.MAPPINGS["ratio"].linear)
    wrong = dataclasses.replace(ll.MAPPINGS["spherical"], linear=linear)
    with pytest.raises(ValueError, match="declare method='loss'"):
        LastLayerClassifier(wrong).fit(X, LABELS)
