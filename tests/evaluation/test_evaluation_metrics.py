"""The metrics of an evaluation against scikit-learn's, and at the values that others get wrong."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from lastlayer import softmax
from lastlayer.calibration import Calibrator, ScoreRows
from lastlayer.evaluation.metrics import measure, measure_rows
from lastlayer.evaluation.metrics.rows import NO_CLASS, is_in_top
from lastlayer.evaluation.predictions import CrossFitted, MappedScores, Predictions


def planted(n: int, n_classes: int, dtype: type = np.float64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels drawn from their softmax."""
    generator = np.random.default_rng(seed)
    scores = (2 * generator.standard_normal((n, n_classes))).astype(dtype)
    labels = np.array([generator.choice(n_classes, p=p / p.sum()) for p in softmax(scores.astype(np.float64))])
    return scores, labels


def predictions(scores: np.ndarray, labels: np.ndarray, mapping: str = "softmax", kind: str = "scores") -> Predictions:
    return MappedScores(ScoreRows(scores, kind), labels, mapping)


@pytest.mark.parametrize(("dtype", "slack"), [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize("n_classes", [2, 3, 9])
def test_scores_are_scikit_learns(n_classes, dtype, slack):
    scores, labels = planted(400, n_classes, dtype)
    p = softmax(scores.astype(np.float64))
    known = range(n_classes)
    metrics = measure(predictions(scores, labels), draws=1).metrics
    assert metrics["log_loss"].value == pytest.approx(log_loss(labels, p, labels=known), rel=slack)
    brier = brier_score_loss(labels, p, labels=known, scale_by_half=False)
    assert metrics["brier"].value == pytest.approx(brier, rel=slack)
    assert metrics["accuracy"].value == accuracy_score(labels, p.argmax(axis=1))
    if n_classes > 5:
        assert metrics["top5"].value == pytest.approx(top_k_accuracy_score(labels, p, k=5, labels=known), rel=1e-15)
    else:
        assert "top5" not in metrics


def test_brier_of_two_classes_is_twice_scikit_learns_binary_one():
    scores, labels = planted(300, 2)
    found = measure(predictions(scores, labels), draws=1).metrics["brier"].value
    assert found == pytest.approx(2 * brier_score_loss(labels, softmax(scores)[:, 1]), rel=1e-12)


@pytest.mark.parametrize("kind", ["scores", "probabilities"])
def test_one_column_is_two_classes(kind):
    scores, labels = planted(300, 2)
    second = scores[:, 1] - scores[:, 0] if kind == "scores" else softmax(scores)[:, 1]
    one = measure(predictions(second[:, np.newaxis], labels, kind=kind), draws=1)
    two = measure(predictions(scores, labels), draws=1)
    assert one.metrics.keys() == two.metrics.keys()
    for name, found in two.metrics.items():
        expected = [found.value, found.low, found.high]
        assert [one.metrics[name].value, one.metrics[name].low, one.metrics[name].high] == pytest.approx(
            expected, rel=1e-9
        )
    np.testing.assert_array_equal(one.predicted, two.predicted)


def test_what_the_class_frequencies_give():
    scores, labels = planted(500, 7)
    dummy = DummyClassifier(strategy="prior").fit(scores, labels)
    p = dummy.predict_proba(scores)
    metrics = measure(predictions(scores, labels), draws=1).metrics
    assert metrics["log_loss"].frequencies == pytest.approx(log_loss(labels, p))
    assert metrics["brier"].frequencies == pytest.approx(brier_score_loss(labels, p, scale_by_half=False))
    assert metrics["accuracy"].frequencies == pytest.approx(dummy.score(scores, labels))
    assert metrics["top5"].frequencies == pytest.approx(top_k_accuracy_score(labels, p, k=5))
    assert metrics["ece"].frequencies is None


def test_zero_and_one_are_exact():
    """A label with p = 0 has an infinite loss; one with p = 1 costs nothing."""
    p = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    found = measure(predictions(p, np.array([0, 2, 2]), kind="probabilities"), draws=1)
    assert found.losses.tolist() == [0.0, math.inf, math.inf]
    assert found.brier.tolist() == [0.0, 2.0, 1.5]
    assert found.confidence.tolist() == [1.0, 1.0, 0.5]
    loss = found.metrics["log_loss"]
    assert (loss.value, loss.low, loss.high) == (math.inf, math.inf, math.inf)
    assert loss.frequencies == pytest.approx(-(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3)


def test_losses_are_exact_where_probabilities_underflow():
    found = measure(predictions(np.array([[0.0, 800.0], [800.0, 0.0]]), np.array([0, 0])), draws=1)
    assert found.losses.tolist() == [800.0, 0.0]


def test_brier_of_a_confident_row_keeps_its_digits():
    p = np.array([[2.0**-11, 1 - 2.0**-11]], dtype=np.float32)
    found = measure(predictions(p, np.array([1]), kind="probabilities"), draws=1)
    assert found.brier[0] == pytest.approx(float(2 * Fraction(1, 2**22)), rel=1e-3)


def test_masked_classes_are_never_predicted():
    scores, labels = planted(300, 5)
    masked = np.concatenate([scores, np.full((300, 2), -np.inf)], axis=1)
    found, plain = measure(predictions(masked, labels), draws=1), measure(predictions(scores, labels), draws=1)
    for name in ("log_loss", "brier", "accuracy", "ece"):
        assert found.metrics[name].value == pytest.approx(plain.metrics[name].value, rel=1e-12)
    # The mean over the classes has two more classes without an error.
    assert found.metrics["classwise_ece"].plain == pytest.approx(plain.metrics["classwise_ece"].plain * 5 / 7)
    assert [one["mean_probability"] for one in found.classes[5:]] == [0.0, 0.0]
    assert all(math.isnan(found.classes[6][name]) for name in ("recall", "precision"))


def test_rows_outside_the_domain_are_wrong_and_not_calibrated():
    scores = np.array([[0.75, 0.25], [0.5, 0.5], [2.0, -1.0], [-1.0, -1.0]])
    found = measure(predictions(scores, np.array([0, 1, 0, 1]), "ratio"), draws=1)
    assert found.predicted.tolist() == [0, 0, NO_CLASS, NO_CLASS]
    assert found.is_correct.tolist() == [True, False, False, False]
    assert found.losses[2:].tolist() == [math.inf, math.inf]
    assert found.brier.tolist() == [0.125, 0.5, 2.0, 2.0]
    assert found.metrics["accuracy"].value == 0.25
    assert found.metrics["ece"].plain == pytest.approx((0.25 + 0.5) / 2)
    assert found.confidence_gap.value == pytest.approx(0.625 - 0.5)
    assert sum(one["n"] for one in found.reliability) == 2
    assert found.classes[0]["mean_probability"] == 0.625
    assert found.classes[0]["predicted"] == 2


def test_without_any_probability_there_is_no_calibration_error():
    found = measure(predictions(np.full((3, 2), -1.0), np.array([0, 1, 0]), "ratio"), draws=1)
    assert math.isnan(found.metrics["ece"].value)
    assert math.isnan(found.metrics["classwise_ece"].value)
    assert math.isnan(found.classes[0]["ece"])
    assert math.isnan(found.confidence_gap.value)
    assert found.reliability == ()
    assert found.metrics["accuracy"].value == 0.0


def test_the_first_of_equal_classes_is_among_the_top():
    p = np.array([[0.2, 0.2, 0.2, 0.2, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])

    def is_in(labels: list[int]) -> list[bool]:
        return is_in_top(p, p[[0, 1], labels], np.array(labels)).tolist()

    assert is_in([4, 0]) == [True, True]
    assert is_in([5, 0]) == [False, True]
    # A class with p = 0 is not in the top five, though only one class has more.
    assert is_in([3, 1]) == [True, False]


@pytest.mark.parametrize("n_classes", [2, 6])
def test_classes_and_confusions_are_scikit_learns(n_classes):
    scores, labels = planted(400, n_classes)
    found = measure(predictions(scores, labels), draws=1)
    table = confusion_matrix(labels, found.predicted, labels=range(n_classes))
    assert [one["rows"] for one in found.classes] == table.sum(axis=1).tolist()
    assert [one["predicted"] for one in found.classes] == table.sum(axis=0).tolist()
    np.testing.assert_allclose(
        [one["recall"] for one in found.classes], recall_score(labels, found.predicted, average=None)
    )
    np.testing.assert_allclose(
        [one["precision"] for one in found.classes], precision_score(labels, found.predicted, average=None)
    )
    np.testing.assert_allclose([one["mean_probability"] for one in found.classes], softmax(scores).mean(axis=0))
    for one in found.confusions:
        assert one["count"] == table[one["actual"], one["predicted"]]
        assert one["share"] == pytest.approx(one["count"] / table[one["actual"]].sum())
    off_diagonal = table[~np.eye(n_classes, dtype=bool)]
    assert [one["count"] for one in found.confusions] == sorted(off_diagonal[off_diagonal > 0], reverse=True)[:20]


def test_copies_of_rows_in_one_group_count_once():
    """Three copies of each row, grouped, have the intervals of the rows themselves."""
    scores, labels = planted(200, 6)
    groups = np.tile(np.arange(200), 3)
    copies = predictions(np.tile(scores, (3, 1)), np.tile(labels, 3))
    once, grouped, ungrouped = measure(predictions(scores, labels)), measure(copies, groups), measure(copies)
    for name in ("log_loss", "brier"):
        expected = [once.metrics[name].low, once.metrics[name].high]
        assert [grouped.metrics[name].low, grouped.metrics[name].high] == pytest.approx(expected, rel=1e-12)
        assert ungrouped.metrics[name].high < expected[1]
    assert grouped.confidence_gap.form() == pytest.approx(once.confidence_gap.form(), rel=1e-9)
    # The interval of the class-wise error begins to reach upward at the plain one, which is the same for copies.
    for name, middle in (("ece", "value"), ("classwise_ece", "plain")):
        measures = [one.metrics[name] for one in (once, grouped, ungrouped)]
        reach = [found.high - getattr(found, middle) for found in measures]
        assert reach[1] == pytest.approx(reach[0], rel=0.02)
        assert reach[2] < 0.65 * reach[0]


def test_the_confidence_gap_is_positive_for_an_overconfident_model():
    scores, labels = planted(3000, 4)
    assert measure(predictions(3 * scores, labels), draws=1).confidence_gap.low > 0
    assert measure(predictions(scores / 3, labels), draws=1).confidence_gap.high < 0
    calibrated = measure(predictions(scores, labels), draws=1).confidence_gap
    assert calibrated.low < 0 < calibrated.high


def test_the_light_walk_gives_the_same_rows():
    scores, labels = planted(300, 4, np.float32)
    folds = np.arange(300) % 2
    maps = [Calibrator("temperature", "softmax", 4, temperature=t) for t in (1.0, 2.0)]
    crossed = CrossFitted(ScoreRows(scores), labels, maps, folds)
    full = measure(crossed, draws=1)
    for light, found in zip(
        measure_rows(crossed), (full.losses, full.brier, full.confidence, full.is_correct), strict=True
    ):
        np.testing.assert_array_equal(light, found)
    halves = [
        log_loss(labels[folds == fold], softmax(scores[folds == fold] / (fold + 1)), labels=range(4)) for fold in (0, 1)
    ]
    assert full.metrics["log_loss"].value == pytest.approx(np.mean(halves), rel=1e-5)


def test_no_copy_of_all_probabilities_is_made():
    scores = np.random.default_rng(0).standard_normal((100_000, 100), dtype=np.float32)
    labels = scores.argmax(axis=1)
    tracemalloc.start()
    try:
        measure(predictions(scores, labels), draws=20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.9 * scores.nbytes
