"""scikit-learn's estimator checks, for ScoreCalibrator around classifiers and on scores."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from lastlayer.sklearn import ScoreCalibrator

ESTIMATORS = [
    ScoreCalibrator(estimator=LogisticRegression(), cv=3),
    ScoreCalibrator("temperature_prior", estimator=GaussianNB(), cv=3),
    ScoreCalibrator(),
]

#: The checks whose X has another number of columns than y has classes.
FEATURES = (
    "check_array_api_input",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_sample_weight_equivalence_on_dense_data",
)


def expected_failures(estimator: ScoreCalibrator) -> dict[str, str]:
    """The checks that cannot pass, each with its reason. Around a classifier all of them pass."""
    if estimator.estimator is not None:
        return {}
    failures = dict.fromkeys(FEATURES, "it fits features; without an estimator X are scores, one column per class")
    accuracy = (
        "it fits two columns as features of three classes, and asks for an accuracy that no map of scores can change"
    )
    return failures | {name: accuracy for name in FEATURES if name.startswith("check_classifiers_train")}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator: ScoreCalibrator, check: Any) -> None:
    check(estimator)
