"""ScoreCalibrator: the temperature of an independent solver, on rows that the classifier was not fitted to."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lastlayer.calibration import Calibrator
from lastlayer.sklearn import ScoreCalibrator


def draw(n: int = 600, n_classes: int = 3, factor: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are `factor` times those of a calibrated model, and labels."""
    random = np.random.default_rng(seed)
    scores = 1.5 * random.normal(size=(n, n_classes))
    p = softmax(scores, axis=1)
    labels = (p.cumsum(axis=1) > random.random((n, 1))).argmax(axis=1)
    return factor * scores, labels


def features(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three overlapping classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return random.normal(size=(n, 5)) + 1.2 * np.eye(3, 5)[y], y


def temperature(scores: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The temperature by Brent's method."""

    def loss(log_t: float) -> float:
        losses = -log_softmax(scores / np.exp(log_t), axis=1)[np.arange(len(labels)), labels]
        return float(np.average(losses, weights=weight))

    return float(np.exp(minimize_scalar(loss, bracket=(-1.0, 1.0), tol=1e-10).x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_temperature_is_that_of_another_solver(dtype):
    scores, labels = draw()
    weight = np.random.default_rng(1).random(len(labels))
    model = ScoreCalibrator().fit(scores.astype(dtype), labels)
    tolerance = 1e-6 if dtype == np.float64 else 1e-4
    assert model.temperature_ == pytest.approx(temperature(scores, labels), rel=tolerance)
    low, high = model.temperature_interval_
    assert low < 3.0 < high
    weighted = ScoreCalibrator().fit(scores.astype(dtype), labels, sample_weight=weight)
    assert weighted.temperature_ == pytest.approx(temperature(scores, labels, weight), rel=tolerance)
    assert weighted.temperature_ != pytest.approx(model.temperature_, rel=tolerance)
    np.testing.assert_allclose(
        model.predict_proba(scores), softmax(scores / model.temperature_, axis=1), rtol=1e-12, atol=1e-300
    )
    np.testing.assert_array_equal(model.predict(scores), scores.argmax(axis=1))


@pytest.mark.parametrize("is_vector", [True, False])
def test_one_column_is_two_classes(is_vector):
    scores, labels = draw(n_classes=2)
    margin = scores[:, 1] - scores[:, 0]
    X = margin if is_vector else margin[:, None]
    model = ScoreCalibrator().fit(X, np.array(["no", "yes"])[labels])
    assert model.temperature_ == pytest.approx(temperature(scores, labels), rel=1e-6)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expit(margin / model.temperature_), rtol=1e-12)
    np.testing.assert_allclose(model.decision_function(X), margin / model.temperature_, rtol=1e-12)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.n_features_in_ == 1


@pytest.mark.parametrize("name", ["temperature", "temperature_prior", "vector", "matrix", "sparsemax", "entmax"])
def test_every_map_lowers_the_loss_of_rows_it_was_not_fitted_to(name):
    (scores, labels), (others, other_labels) = draw(seed=1), draw(seed=2)
    model = ScoreCalibrator(name).fit(scores, labels)
    p = model.predict_proba(others)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    # The squared error: sparse probabilities have no log loss.
    truth = np.eye(3)[other_labels]
    assert ((p - truth) ** 2).mean() < ((softmax(others, axis=1) - truth) ** 2).mean() - 0.005
    assert hasattr(model, "temperature_") == (name not in ("vector", "matrix"))
    assert model.calibrator_.name == name


def test_a_frozen_classifier_is_calibrated_and_not_changed():
    X, y = features()
    classifier = LogisticRegression(C=1e6).fit(X[:60], y[:60])
    before = classifier.coef_.copy()
    model = ScoreCalibrator(estimator=FrozenEstimator(classifier)).fit(X[60:], y[60:])
    assert model.temperature_ == pytest.approx(temperature(classifier.decision_function(X[60:]), y[60:]), rel=1e-6)
    np.testing.assert_array_equal(classifier.coef_, before)
    want = softmax(classifier.decision_function(X) / model.temperature_, axis=1)
    np.testing.assert_allclose(model.predict_proba(X), want, rtol=1e-10)
    assert model.n_features_in_ == 5


class Remembers(ClassifierMixin, BaseEstimator):
    """A classifier that knows which rows it was fitted to, by their first feature, and refuses to score them."""

    def fit(self, X, y):
        self.classes_, self.rows_ = np.unique(y), set(X[:, 0])
        self.inner_ = LogisticRegression().fit(X[:, 1:], y)
        return self

    def decision_function(self, X):
        assert not self.rows_ & set(X[:, 0]), "a row is scored by a classifier that was fitted to it"
        return self.inner_.decision_function(X[:, 1:])

    def predict(self, X):
        return self.classes_[self.decision_function(X).argmax(axis=1)]


def test_the_map_never_sees_a_row_that_its_classifier_was_fitted_to():
    X, y = features()
    X = np.column_stack([np.arange(len(X)), X])
    folds = StratifiedKFold(4)
    model = ScoreCalibrator(estimator=Remembers(), cv=folds).fit(X, y)
    held_out = cross_val_predict(LogisticRegression(), X[:, 1:], y, cv=folds, method="decision_function")
    assert model.temperature_ == pytest.approx(temperature(held_out, y), rel=1e-6)
    # In the end the classifier is fitted to all rows.
    assert model.estimator_.rows_ == set(X[:, 0])
    with pytest.raises(AssertionError, match="was fitted to it"):
        ScoreCalibrator(estimator=FrozenEstimator(model.estimator_)).fit(X, y)


def test_groups_stay_together():
    X, y = features()
    groups = np.arange(len(X)) // 20
    X = np.column_stack([groups, X])
    ScoreCalibrator(estimator=Remembers(), cv=GroupKFold(4)).fit(X, y, groups=groups)
    with pytest.raises(AssertionError, match="was fitted to it"):
        ScoreCalibrator(estimator=Remembers(), cv=4).fit(X, y)


def test_groups_are_the_observations_of_the_interval():
    scores, labels = draw(100)
    many, again = np.repeat(scores, 10, axis=0), np.repeat(labels, 10)
    names = np.repeat([f"patient {i}" for i in range(100)], 10)
    alone = ScoreCalibrator().fit(many, again)
    grouped = ScoreCalibrator().fit(many, again, groups=names)
    assert grouped.temperature_ == pytest.approx(alone.temperature_, rel=1e-12)
    want = ScoreCalibrator().fit(scores, labels).temperature_interval_
    np.testing.assert_allclose(grouped.temperature_interval_, want, rtol=1e-6)
    assert alone.temperature_interval_[0] > 1.01 * want[0]
    with pytest.raises(ValueError, match=r"groups has the shape \(3,\) for 1000 rows"):
        ScoreCalibrator().fit(many, again, groups=[1, 2, 3])


def test_groups_are_routed_by_scikit_learn():
    X, y = features()
    groups = np.arange(len(X)) // 20
    model = ScoreCalibrator(estimator=LogisticRegression(), cv=GroupKFold(4))
    want = model.fit(X, y, groups=groups).temperature_interval_
    with config_context(enable_metadata_routing=True):
        asks = ScoreCalibrator(estimator=LogisticRegression(), cv=GroupKFold(4)).set_fit_request(groups=True)
        routed = make_pipeline(StandardScaler(with_mean=False, with_std=False), asks).fit(X, y, groups=groups)
    assert routed[-1].temperature_interval_ == pytest.approx(want)
    assert want != pytest.approx(ScoreCalibrator(estimator=LogisticRegression()).fit(X, y).temperature_interval_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scikit_learn_has_the_same_temperature(n_classes):
    X, y = features()
    X, y = X[y < n_classes], y[y < n_classes]
    classifier = LogisticRegression(C=1e6)
    theirs = CalibratedClassifierCV(classifier, method="temperature", ensemble=False, cv=5).fit(X, y)
    ours = ScoreCalibrator(estimator=classifier, cv=5).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    assert log_loss(y, ours.predict_proba(X)) != pytest.approx(log_loss(y, classifier.fit(X, y).predict_proba(X)))


def test_probabilities_are_calibrated_by_their_logarithms():
    X, y = features()
    model = ScoreCalibrator(estimator=FrozenEstimator(GaussianNB().fit(X[:60], y[:60]))).fit(X[60:], y[60:])
    log_p = np.log(model.estimator_.predict_proba(X))
    assert model.temperature_ == pytest.approx(temperature(log_p[60:], y[60:]), rel=1e-6)
    alone = ScoreCalibrator(kind="probabilities").fit(np.exp(log_p[60:]), y[60:])
    assert alone.temperature_ == pytest.approx(model.temperature_, rel=1e-9)
    np.testing.assert_allclose(alone.predict_proba(np.exp(log_p)), model.predict_proba(X), rtol=1e-9)


def test_zeros_of_a_forest_are_raised_to_half_its_least_probability():
    X, y = features()
    forest = RandomForestClassifier(30, random_state=0).fit(X[:200], y[:200])
    p = forest.predict_proba(X[200:])
    assert (p[np.arange(200), y[200:]] == 0).any()
    model = ScoreCalibrator(estimator=FrozenEstimator(forest)).fit(X[200:], y[200:])
    assert model.calibrator_.floor == pytest.approx(p[p > 0].min() / 2)
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert log_loss(y[200:], model.predict_proba(X[200:])) < log_loss(y[200:], p)


def test_it_is_the_last_step_of_a_pipeline_and_can_be_searched():
    X, y = features()
    names = np.array(["a", "b", "c"])[y]
    pipeline = make_pipeline(StandardScaler(), ScoreCalibrator(estimator=LinearSVC(), cv=3))
    assert cross_val_score(pipeline, X, names, scoring="neg_log_loss", cv=3).min() > -0.9
    grid = {"scorecalibrator__map": ["temperature", "vector"], "scorecalibrator__estimator__C": [0.01, 1.0]}
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=3).fit(X, names)
    assert search.predict(X[:2]).dtype == names.dtype
    fitted = make_pipeline(StandardScaler(), LinearSVC()).fit(X[:60], y[:60])
    model = ScoreCalibrator(estimator=FrozenEstimator(fitted)).fit(X[60:], y[60:])
    assert model.temperature_ == pytest.approx(temperature(fitted.decision_function(X[60:]), y[60:]), rel=1e-6)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [0, 1, 2], [10, 20, 30]])
@pytest.mark.parametrize("name", ["temperature", "vector"])
def test_a_file_is_ready_to_predict(labels, name, tmp_path):
    scores, places = draw()
    model = ScoreCalibrator(name).fit(scores, np.array(labels)[places])
    path = model.calibrator_.write(tmp_path / "calibrator.json")
    read = ScoreCalibrator.from_file(path)
    np.testing.assert_array_equal(read.predict_proba(scores), model.predict_proba(scores))
    # A file has texts; 0, 1, … need none.
    want = model.classes_ if labels[0] in ("a", 0) else model.classes_.astype(str)
    np.testing.assert_array_equal(read.classes_, want)
    given = ScoreCalibrator.from_file(path, classes=labels)
    np.testing.assert_array_equal(given.predict(scores), model.predict(scores))
    assert getattr(read, "temperature_", None) == getattr(model, "temperature_", None)
    with pytest.raises(ValueError, match="X has 2 features, but ScoreCalibrator is expecting 3"):
        read.predict(scores[:, :2])
    with pytest.raises(ValueError, match="has 3 classes, and there are 2; give"):
        ScoreCalibrator.from_file(path, classes=[0, 1])


@pytest.mark.parametrize("classifier", [LogisticRegression(), GaussianNB()])
def test_a_file_calibrates_a_fitted_classifier(classifier, tmp_path):
    X, y = features()
    classifier.fit(X[:60], y[:60])
    model = ScoreCalibrator(estimator=FrozenEstimator(classifier)).fit(X[60:], y[60:])
    path = model.calibrator_.write(tmp_path / "calibrator.json")
    read = ScoreCalibrator.from_file(path, estimator=classifier)
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))
    assert read.n_features_in_ == 5
    with pytest.raises(NotFittedError):
        ScoreCalibrator.from_file(path, estimator=LogisticRegression())
    two = Calibrator("temperature", "softmax", 2, kind=model.calibrator_.kind).write(tmp_path / "two.json")
    with pytest.raises(ValueError, match="has 2 classes, and there are 3"):
        ScoreCalibrator.from_file(two, estimator=classifier)


LABELS = draw(60)[1]
RUNAWAY = {
    "separable": np.where(np.eye(3)[LABELS] == 1, 2.0, 0.1),
    "constant": np.ones((60, 3)),
    "opposed": np.where(np.eye(3)[LABELS] == 1, -2.0, 0.1) + 0.1 * np.random.default_rng(3).normal(size=(60, 3)),
}


@pytest.mark.parametrize("name", RUNAWAY)
def test_a_temperature_that_runs_away_is_a_warning_and_no_number(name):
    scores = RUNAWAY[name]
    with pytest.warns(ConvergenceWarning, match=r"The scores are left as they are\.$"):
        model = ScoreCalibrator().fit(scores, LABELS)
    assert not model.converged_
    assert not hasattr(model, "temperature_")
    np.testing.assert_allclose(model.predict_proba(scores), softmax(scores, axis=1), rtol=1e-12)
    # A later fit has no trace of it, nor the other way round.
    good, labels = draw()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(good, labels).converged_
    assert model.temperature_ > 1
    with pytest.warns(ConvergenceWarning):
        model.fit(scores, LABELS)
    assert not hasattr(model, "temperature_")
    assert not hasattr(model, "temperature_interval_")


def test_probabilities_in_the_place_of_scores_are_refused():
    scores, labels = draw()
    p = softmax(scores, axis=1)
    with pytest.raises(ValueError, match="X may hold probabilities"):
        ScoreCalibrator().fit(p, labels)
    as_scores = ScoreCalibrator(kind="scores").fit(p, labels)
    assert as_scores.temperature_ == pytest.approx(temperature(p, labels), rel=1e-6)
    right = ScoreCalibrator(kind="probabilities").fit(p, labels)
    assert right.temperature_ == pytest.approx(temperature(scores, labels), rel=1e-6)


def test_wrong_input_is_refused():
    scores, labels = draw()
    X, y = features()
    with pytest.raises(ValueError, match="There are 3 columns of scores for 2 classes in y"):
        ScoreCalibrator().fit(scores[labels < 2], labels[labels < 2])
    some = ScoreCalibrator(classes=[0, 1, 2]).fit(scores[labels < 2], labels[labels < 2])
    assert some.predict_proba(scores).shape == (600, 3)
    with pytest.raises(ValueError, match="y has only one class"):
        ScoreCalibrator().fit(scores, np.zeros(600))
    with pytest.raises(ValueError, match=r"kind is 'logits'; give one of"):
        ScoreCalibrator(kind="logits").fit(scores, labels)
    with pytest.raises(ValueError, match=r"A probability is outside 0 … 1"):
        ScoreCalibrator(kind="probabilities").fit(scores, labels)
    with pytest.raises(ValueError, match="y has the label 9, which is none of the classes"):
        ScoreCalibrator(estimator=FrozenEstimator(LogisticRegression().fit(X, y))).fit(X, np.where(y == 2, 9, y))
    with pytest.raises(ValueError, match="The class 'rare' has 2 rows, fewer than the 5 folds of cv"):
        ScoreCalibrator(estimator=LogisticRegression()).fit(X, np.where(np.arange(len(y)) < 2, "rare", y.astype(str)))
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
        ScoreCalibrator(estimator=LinearSVC(), kind="probabilities").fit(X, y)
    with pytest.raises(ValueError, match="Rows of fewer than two classes"):
        ScoreCalibrator().fit(scores, labels, sample_weight=(labels == 1).astype(float))
    with pytest.raises(NotFittedError):
        ScoreCalibrator().predict_proba(scores)


def test_on_scores_it_is_an_estimator_like_others():
    """What scikit-learn's checks ask of an estimator on features, whose columns are not those of the classes."""
    scores, labels = draw()
    given = scores.copy()
    given.setflags(write=False)
    model = ScoreCalibrator("vector", kind="scores")
    before = model.get_params()
    assert model.fit(given, labels) is model
    assert model.get_params() == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(given), model.predict_proba(given))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            model.fit(np.where(np.arange(3) == 1, bad, scores), labels)
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            model.predict_proba(np.where(np.arange(3) == 1, bad, scores))
    twice = np.repeat(np.arange(600), np.arange(600) % 3)
    weighted = ScoreCalibrator().fit(scores, labels, sample_weight=np.arange(600) % 3)
    assert weighted.temperature_ == pytest.approx(
        ScoreCalibrator().fit(scores[twice], labels[twice]).temperature_, rel=1e-9
    )
