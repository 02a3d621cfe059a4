"""ROC AUC, average precision and balanced accuracy agree with scikit-learn's, ties and absent classes among them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from lastlayer.study.fit.metrics import measure_probabilities
from lastlayer.study.fit.ranking import balanced_accuracy, ranking


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("decimals", [1, 2, 15])
def test_against_scikit_learn(classes: int, decimals: int) -> None:
    generator = np.random.default_rng(classes + decimals)
    for _ in range(20):
        n = int(generator.integers(2 * classes, 80))
        labels = generator.permutation(np.arange(n) % classes)
        p = generator.dirichlet(np.ones(classes), size=n).round(decimals)
        judged = [1] if classes == 2 else range(classes)
        found = ranking(p, labels)
        expected = np.mean([roc_auc_score(labels == k, p[:, k]) for k in judged])
        assert found["roc_auc"] == pytest.approx(expected, rel=1e-12)
        expected = np.mean([average_precision_score(labels == k, p[:, k]) for k in judged])
        assert found["average_precision"] == pytest.approx(expected, rel=1e-12)
        predicted = p.argmax(axis=1)
        assert balanced_accuracy(predicted == labels, labels) == pytest.approx(
            balanced_accuracy_score(labels, predicted)
        )


def test_a_class_without_rows_is_left_out_and_one_class_has_neither() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    assert ranking(p, np.array([0, 1, 0])) == {"roc_auc": 1.0, "average_precision": 1.0}
    assert np.isnan(list(ranking(p, np.array([1, 1, 1])).values())).all()
    assert balanced_accuracy(np.array([True, False, True]), np.array([0, 1, 0])) == 0.5


def test_constant_probabilities_rank_nothing() -> None:
    found = ranking(np.tile([0.25, 0.75], (8, 1)), np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    assert found == {"roc_auc": 0.5, "average_precision": 0.25}


def test_a_row_outside_the_domain_ranks_by_the_frequencies() -> None:
    p = np.array([[0.1, 0.9], [np.nan, np.nan], [0.9, 0.1]])
    labels, frequencies = np.array([1, 1, 0]), np.array([0.5, 0.5])
    with np.errstate(divide="ignore"):
        values = measure_probabilities(p, np.log(p), labels, frequencies).values
    assert values["roc_auc"] == 1.0
    # The worst Brier score, 2, for that row: (0.02 + 2 + 0.02) / 3 against 0.5 of the frequencies.
    assert values["skill"] == pytest.approx(1 - (2.04 / 3) / 0.5)
