"""The scores of a base classifier for its calibration: on rows that it was not fitted to."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.utils.validation import has_fit_parameter

#: What a classifier gives → the method that gives it, in order of preference.
METHODS: dict[str, Literal["decision_function", "predict_proba"]] = {
    "scores": "decision_function",
    "probabilities": "predict_proba",
}


class BaseScores(NamedTuple):
    """The fitted classifier, and what it gives for rows that it was not fitted to."""

    estimator: Any
    values: np.ndarray


def kind_of(estimator: Any, kind: str | None) -> str:
    """The wanted kind, or scores if the classifier has them, else probabilities.

    Raises:
        ValueError: the classifier has no method for it.
    """
    wanted = METHODS if kind is None else [kind]
    for one in wanted:
        if hasattr(estimator, METHODS[one]):
            return one
    raise ValueError(
        f"{type(estimator).__name__} has no {' and no '.join(METHODS[one] for one in wanted)}; give a classifier that has "
        f"{'one of them' if kind is None else f'it, or leave out kind={kind!r}'}."
    )


def base_scores(
    estimator: Any, X: Any, y: Any, *, method: Any, cv: Any, sample_weight: Any, groups: Any, n_jobs: int | None
) -> BaseScores:
    """The classifier and its scores: as they are if it is frozen, else cross-fitted, and then it is fitted to all rows.

    Cross-fitted: the scores of a fold come from a clone that was fitted to the other folds. Scores of rows that a classifier was
    fitted to are too good, and a temperature that is fitted to them makes it overconfident.

    Raises:
        ValueError: a class has fewer rows than there are folds.
    """
    if isinstance(estimator, FrozenEstimator):
        return BaseScores(estimator, np.asarray(getattr(estimator, method)(X)))
    parameters = {}
    if sample_weight is not None:
        if has_fit_parameter(estimator, "sample_weight"):
            parameters["sample_weight"] = sample_weight
        else:
            warnings.warn(
                f"{type(estimator).__name__} does not take sample_weight; the weights count for the calibration alone.",
                UserWarning,
                stacklevel=3,
            )
    _check_folds(y, cv)
    splitter = check_cv(cv, y, classifier=True)
    # The folds are drawn here: cross_val_predict refuses groups where metadata routing is enabled.
    folds = list(splitter.split(X, y, groups))
    options = {"cv": folds, "params": parameters, "n_jobs": n_jobs}
    values = cross_val_predict(clone(estimator), X, y, method=method, **options)
    return BaseScores(clone(estimator).fit(X, y, **parameters), np.asarray(values))


def _check_folds(y: Any, cv: Any) -> None:
    folds = 5 if cv is None else cv
    classes, counts = np.unique(y, return_counts=True)
    if isinstance(folds, int) and len(classes) > 1 and counts.min() < folds:
        name = classes[np.argmin(counts)].item()
        raise ValueError(
            f"The class {name!r} has {counts.min()} rows, fewer than the {folds} folds of cv; give a smaller cv (at least 2), or a "
            "fitted classifier as FrozenEstimator(classifier) and other rows to calibrate on."
        )
