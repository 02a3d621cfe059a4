"""scikit-learn's own checks, over every mapping there is."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

#: One start, and a short one: these checks ask about the interface, and fit hundreds of models.
ESTIMATORS = [LastLayerClassifier(name, n_restarts=1, max_iter=100) for name in ll.MAPPINGS]


def expected_failures(estimator: LastLayerClassifier) -> dict[str, str]:
    """What a mapping's own nature rules out, by its record."""
    mapping = ll.resolve_mapping(estimator.mapping)
    failures = {}
    if "sums_to_one" not in mapping.laws:
        failures["check_classifiers_train"] = (
            "its probabilities leave room for an outcome that is no class, so rows sum to < 1"
        )
    if mapping.linear.intercept_constraint in ("sum_to_one", "unit_norm"):
        reason = (
            "15 rows in 30 features leave a scale-invariant loss flat around its optimum: any place within tol will do, and "
            "rounding decides which. test_classifier.py holds weights to repetition where the optimum is a point."
        )
        failures["check_sample_weight_equivalence_on_dense_data"] = reason
        failures["check_sample_weight_equivalence_on_sparse_data"] = reason
    if mapping.linear.method == "interior_point":
        failures["check_decision_proba_consistency"] = (
            "test rows outside the domain have scores, but NaN for probabilities"
        )
    return failures


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator: LastLayerClassifier, check: Any) -> None:
    check(estimator)
