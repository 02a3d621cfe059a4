"""A second softmax, shifted labels and another order of the classes are found; honest models are left in peace."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from lastlayer.evaluation.read import read_inputs
from lastlayer.evaluation.suspicions import find_suspicions
from lastlayer.findings import Finding


def drawn(
    rng: np.random.Generator, n: int, n_classes: int, spread: float, prior: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, K) of a calibrated model, and labels drawn from their softmax."""
    scores = rng.normal(size=(n, n_classes)) * spread + rng.normal(size=n_classes) * prior
    labels = (softmax(scores, axis=1).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return scores, np.minimum(labels, n_classes - 1)


def suspicions(values: np.ndarray, labels: np.ndarray, **options) -> dict[str, dict]:
    inputs = read_inputs(values, labels, **options)
    predicted = inputs.scores.block(0, inputs.scores.n).argmax(axis=1)
    found: list[Finding] = find_suspicions(inputs, predicted, predicted == inputs.labels)
    codes = [finding.code for finding in found]
    assert len(set(codes)) == len(codes)
    return {finding.code: dict(finding.facts) for finding in found}


def mean_loss(p: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-4)).mean())


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("as_probabilities", [True, False])
def test_calibrated_models_are_left_in_peace(n_classes, as_probabilities):
    """300 of them: sure and unsure, few rows and many, balanced and not. Most of the unsure ones would be a softmax of some q."""
    rng = np.random.default_rng(n_classes)
    found = []
    for _ in range(100):
        n = int(rng.choice([20, 60, 200, 1000, 4000]))
        scores, labels = drawn(
            rng, n, n_classes, rng.choice([0.03, 0.1, 0.3, 0.6, 1.0, 3.0]), rng.choice([0.0, 0.5, 1.0])
        )
        found += suspicions(softmax(scores, axis=1) if as_probabilities else scores, labels)
    assert found == []


@pytest.mark.parametrize("factor", [0.3, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_wrong_temperature_is_no_suspicion(n_classes, factor):
    rng = np.random.default_rng(5)
    found = []
    for _ in range(25):
        scores, labels = drawn(rng, int(rng.choice([100, 2000])), n_classes, rng.choice([0.1, 0.3, 1.0, 3.0]), 0.5)
        found += suspicions(softmax(factor * scores, axis=1), labels)
    assert found == []


def test_unsure_models_pass_the_first_test_of_double_softmax():
    """Otherwise the tests above would show nothing about the second one."""
    scores, _ = drawn(np.random.default_rng(6), 2000, 10, 0.02)
    logp = np.log(softmax(scores, axis=1))
    assert (logp + (1 - logp.sum(axis=1, keepdims=True)) / 10).min() > 0


def test_an_underconfident_model_just_inside_the_limits_is_no_double_softmax():
    """As boosted trees after six to eight rounds: log-odds up to ±0.998, and 2.3 times that would be right."""
    rng = np.random.default_rng(21)
    found = []
    for _ in range(15):
        log_odds = rng.uniform(-0.998, 0.998, 8000)
        labels = (rng.random(8000) < expit(2.3 * log_odds)).astype(int)
        p = expit(log_odds)
        found += suspicions(np.stack([1 - p, p], axis=1), labels)
    assert found == []


@cache
def boosted() -> list[tuple[np.ndarray, np.ndarray]]:
    """(probabilities, labels) after 1 to 20 rounds, of easy problems: log-odds that grow through ±1 in steps."""
    found = []
    for seed, (n_classes, separation) in enumerate([(2, 2.0), (2, 1.5), (2, 4.0), (3, 2.5)]):
        X, y = make_classification(
            1600, 12, n_informative=6, n_classes=n_classes, class_sep=separation, flip_y=0, random_state=seed
        )
        models = [
            GradientBoostingClassifier(n_estimators=20, random_state=0),
            GradientBoostingClassifier(n_estimators=2, learning_rate=0.5, max_depth=1, random_state=0),
            HistGradientBoostingClassifier(max_iter=8, early_stopping=False),
        ]
        for model in models:
            found += [(p, y[800:]) for p in model.fit(X[:800], y[:800]).staged_predict_proba(X[800:])]
    return found


@cache
def shallow() -> list[tuple[np.ndarray, np.ndarray]]:
    """(probabilities, labels) of other models that are unsure by construction."""
    found = []
    for seed, separation in enumerate([1.0, 2.0, 4.0]):
        X, y = make_classification(1600, 12, n_informative=6, class_sep=separation, flip_y=0, random_state=seed)
        models = [
            *(RandomForestClassifier(30, max_depth=depth, random_state=0) for depth in (1, 2, 3)),
            GaussianNB(),
            *(LogisticRegression(C=C) for C in (1e-5, 1e-4, 1e-3)),
        ]
        found += [(model.fit(X[:800], y[:800]).predict_proba(X[800:]), y[800:]) for model in models]
    return found


@pytest.mark.parametrize("change", [np.asarray, lambda p: p.round(3), lambda p: p[:, 1] if p.shape[1] == 2 else p])
@pytest.mark.parametrize("models", [boosted, shallow])
def test_underconfident_models_are_no_double_softmax(models, change):
    """Many of them are a softmax of some q, and q even predicts better; but no row of q is one-hot except by chance."""
    outputs = models()
    assert len(outputs) >= 20
    for kind in (None, "probabilities"):
        assert [i for i, (p, y) in enumerate(outputs) if "double_softmax" in suspicions(change(p), y, kind=kind)] == []


def test_a_single_leaf_at_the_bound_is_no_double_softmax():
    """One round with learning rate 0.5 on balanced separable data: every log-odds is −1 or 1, and q is one-hot in every row."""
    labels = np.arange(2000) % 2
    p = expit(np.where(np.random.default_rng(0).random(2000) < 0.98, 2.0 * labels - 1, 1 - 2.0 * labels))
    assert suspicions(np.stack([1 - p, p], axis=1), labels) == {}


def test_forty_confident_models_through_softmax_twice():
    rng = np.random.default_rng(22)
    found = 0
    for i in range(40):
        n_classes = (2, 3, 5, 10)[i % 4]
        scores, labels = drawn(rng, int(rng.choice([500, 1500])), n_classes, 4.0 + n_classes / 5)
        p = softmax(softmax(rng.choice([1.0, 2.0]) * scores, axis=1), axis=1)
        found += "double_softmax" in suspicions(p.astype(rng.choice([np.float32, np.float64])), labels)
    assert found >= 38


@pytest.mark.parametrize("overconfidence", [1.0, 2.5])
def test_a_less_sure_model_through_softmax_twice(overconfidence):
    """Hardly a row of q is one-hot, but many of its values are nearly 0, and none is below."""
    for seed in range(5):
        scores, labels = drawn(np.random.default_rng(seed), 2000, 10, 1.5)
        p = softmax(softmax(overconfidence * scores, axis=1), axis=1)
        assert [*suspicions(p, labels)] == ["double_softmax"]


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("overconfidence", [1.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_softmax_applied_twice(n_classes, overconfidence, dtype):
    rng = np.random.default_rng(7)
    # With 100 classes, a spread of 4 is no confident model.
    scores, labels = drawn(rng, 2000, n_classes, 4.0 if n_classes <= 10 else 8.0)
    q = softmax(overconfidence * scores, axis=1)
    p = softmax(q, axis=1)
    found = suspicions(p.astype(dtype), labels)
    expected = {
        "rows": 2000,
        "log_loss": pytest.approx(mean_loss(p, labels), abs=2e-3),
        "undone_log_loss": pytest.approx(mean_loss(q, labels), abs=0.05),
        "are_probabilities": False,
    }
    assert found == {"double_softmax": expected}


@pytest.mark.parametrize("decimals", [3, 4])
def test_softmax_applied_twice_and_rounded(decimals):
    scores, labels = drawn(np.random.default_rng(8), 2000, 4, 4.0)
    p = softmax(softmax(scores, axis=1), axis=1).round(decimals)
    assert [*suspicions(p, labels)] == ["double_softmax"]


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_probabilities_that_are_taken_for_scores(n_classes, spread):
    """The trap of netcal and TorchUncertainty 179, where someone insists on it; weak models as well."""
    scores, labels = drawn(np.random.default_rng(9), 1500, n_classes, spread)
    p = softmax(scores, axis=1)
    found = suspicions(p, labels, kind="scores")["double_softmax"]
    assert (found["rows"], found["are_probabilities"]) == (1500, True)
    assert found["log_loss"] == pytest.approx(mean_loss(softmax(p, axis=1), labels))
    assert found["undone_log_loss"] == pytest.approx(mean_loss(p, labels), rel=1e-3)
    assert "double_softmax" not in suspicions(p, labels)


def test_one_column_through_a_sigmoid_twice():
    scores, labels = drawn(np.random.default_rng(10), 2000, 2, 3.0)
    p = expit(scores[:, 1] - scores[:, 0])
    for values, options in ((expit(p), {}), (p, {"kind": "scores"})):
        found = suspicions(values, labels, **options)["double_softmax"]
        both = np.stack([1 - p, p], axis=1)
        assert found["undone_log_loss"] == pytest.approx(mean_loss(both, labels), rel=1e-6)
        assert found["are_probabilities"] == bool(options)
    assert suspicions(p, labels) == {}
    # An honest model that gives every row more than one half.
    rng = np.random.default_rng(11)
    for _ in range(50):
        p = expit(rng.uniform(0.05, 0.95, 1000))
        assert suspicions(p, (rng.random(1000) < p).astype(int)) == {}


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("n_classes", [3, 10, 100])
@pytest.mark.parametrize("spread", [1.5, 4.0])
def test_shifted_labels(n_classes, shift, spread):
    scores, labels = drawn(np.random.default_rng(12), 3000, n_classes, spread)
    accuracy = float(np.mean(scores.argmax(axis=1) == labels))
    wrong = (labels - shift) % n_classes
    found = suspicions(scores, wrong)
    # One cause, one finding: a shift is an order of the classes too.
    assert [*found] == ["labels_off_by_one"]
    facts = found["labels_off_by_one"]
    assert facts["shifted_accuracy"] == accuracy
    assert facts["accuracy"] == float(np.mean(scores.argmax(axis=1) == wrong))
    assert (facts["shift"], facts["read_as"], facts["classes"]) == (shift, "", n_classes)
    assert (facts["least"], facts["most"]) == (0, n_classes - 1)


def test_labels_without_the_first_class():
    """Ten columns, the first of them for the background, and labels that count the other classes from 0."""
    rng = np.random.default_rng(13)
    scores, labels = drawn(rng, 2000, 10, 4.0)
    kept = labels > 0
    found = suspicions(scores[kept], labels[kept] - 1)
    assert found["labels_off_by_one"]["shift"] == 1


@pytest.mark.parametrize("n_classes", [2, 3, 5, 10, 100])
def test_scores_with_the_wrong_sign(n_classes):
    scores, labels = drawn(np.random.default_rng(14), 4000, n_classes, 4.0)
    found = suspicions(-scores, labels)
    assert [*found] == ["below_chance"]
    facts = found["below_chance"]
    predicted = (-scores).argmax(axis=1)
    assert facts["accuracy"] == float(np.mean(predicted == labels))
    frequencies = [np.bincount(values, minlength=n_classes) / 4000 for values in (predicted, labels)]
    assert facts["chance"] == pytest.approx(frequencies[0] @ frequencies[1])
    assert facts["p"] < 1e-3
    # With two classes, the other one is right.
    assert n_classes > 2 or facts["permuted_accuracy"] == pytest.approx(1 - facts["accuracy"], abs=0.03)


@pytest.mark.parametrize("n_classes", [5, 10, 60])
@pytest.mark.parametrize("groups", [False, True])
def test_columns_in_another_order(n_classes, groups):
    rng = np.random.default_rng(15)
    scores, labels = drawn(rng, 4000, n_classes, 4.0)
    order = rng.permutation(n_classes)
    options = {"groups": rng.integers(0, 300, 4000)} if groups else {}
    found = suspicions(scores[:, order], labels, **options)
    assert [*found] == ["below_chance"]
    right = float(np.mean(scores.argmax(axis=1) == labels))
    assert found["below_chance"]["permuted_accuracy"] == pytest.approx(right, abs=0.04)


def test_columns_in_another_order_above_chance():
    """Sorted as texts, 0, 1, 10, 11, 2, …: some columns are where they belong, so that the accuracy is above that of guesses."""
    scores, labels = drawn(np.random.default_rng(16), 4000, 12, 5.0)
    order = sorted(range(12), key=str)
    # Most rows are of the two classes that are in place.
    kept = (labels < 2) | (np.arange(4000) % 2 == 0)
    found = suspicions(scores[kept][:, order], labels[kept])["below_chance"]
    assert found["accuracy"] > 1.5 * found["chance"]
    assert found["p"] > 0.5
    assert found["permuted_accuracy"] > 0.75


def test_two_confused_classes_are_no_other_order():
    """A model that knows eight classes of ten and swaps two rare ones gains too little to be suspected."""
    rng = np.random.default_rng(17)
    scores, labels = drawn(rng, 3000, 10, 4.0)
    kept = (labels > 1) | (rng.random(3000) < 0.3)
    assert suspicions(scores[kept][:, [1, 0, *range(2, 10)]], labels[kept]) == {}


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_a_constant_answer_is_no_suspicion(n_classes):
    rng = np.random.default_rng(18)
    for shares in (np.ones(n_classes), np.arange(1, n_classes + 1) ** 2.0):
        labels = rng.choice(n_classes, 1000, p=shares / shares.sum())
        for column in range(n_classes):
            scores = np.zeros((1000, n_classes))
            scores[:, column] = 1
            assert suspicions(scores + 3, labels) == {}


def test_neighbouring_grades_are_no_shift():
    """A model of five grades that is off by one in most rows, in both directions."""
    rng = np.random.default_rng(19)
    labels = rng.integers(0, 5, 3000)
    predicted = np.clip(labels + rng.choice([-1, 0, 1], 3000, p=[0.4, 0.2, 0.4]), 0, 4)
    scores = -np.abs(np.arange(5) - predicted[:, None]).astype(float)
    assert suspicions(scores, labels) == {}


def test_groups_are_not_counted_as_rows():
    """Thirty patients with one answer each, copied a hundred times: thirty answers are no proof."""
    rng = np.random.default_rng(20)
    found_rows = found_groups = 0
    for _ in range(40):
        labels, predicted = rng.integers(0, 2, (2, 30))
        rows = np.repeat(np.arange(30), 100)
        scores = np.eye(2)[predicted[rows]] * 3
        found_rows += "below_chance" in suspicions(scores, labels[rows])
        found_groups += "below_chance" in suspicions(scores, labels[rows], groups=rows)
    assert found_rows > 5
    assert found_groups == 0
