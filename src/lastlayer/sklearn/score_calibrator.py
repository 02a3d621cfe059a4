"""Calibrated probabilities of the scores of any classifier, as a scikit-learn classifier."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_is_fitted,
    column_or_1d,
    indexable,
    validate_data,
)

import lastlayer as ll
from lastlayer.calibration import KINDS, Calibrator, ScoreRows
from lastlayer.calibration.fit import UnboundedError, fit_map
from lastlayer.calibration.floor import floor_of
from lastlayer.sklearn.base_scores import METHODS, base_scores, kind_of
from lastlayer.sklearn.problem import Floats
from lastlayer.sklearn.score_arrays import as_column, check_weights, codes, group_codes, is_like_probabilities


class ScoreCalibrator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """p = mapping(A x + b) of the scores (logits) x of a trained classifier, with A x one of x / T, w ∘ x and W x.

    Without an `estimator`, X are the scores (n, K), one column per class, or (n,) or (n, 1) for two classes. With one, X are the
    features, and the scores are the classifier's `decision_function`, or the logarithms of its `predict_proba`:

    - ``ScoreCalibrator(estimator=FrozenEstimator(fitted)).fit(X_calibration, y_calibration)`` calibrates a fitted classifier on
      rows that it was not fitted to.
    - ``ScoreCalibrator(estimator=classifier).fit(X, y)`` fits the map to cross-fitted scores, and the classifier to all rows.
      The map never sees a score of a row that the score's classifier was fitted to.

    In a pipeline it is the last step, around the classifier: ``make_pipeline(StandardScaler(), ScoreCalibrator(estimator=…))``.

    Where the temperature has no finite minimum, because the scores separate the classes or carry no information, a
    ConvergenceWarning says which, `converged_` is False, and the scores are left as they are.

    Args:
        map: "temperature" (Guo et al. 2017), "temperature_prior" (with one bias per class), "vector", "matrix" (regularised),
            "none", or the name of a mapping, which then replaces `mapping` and has a temperature.
        mapping: a name ("softmax", "entmax:alpha=1.3").
        kind: whether the numbers are "scores" or "probabilities". By default X are scores; of an estimator they are scores if it
            has a `decision_function`, else probabilities.
        estimator: a classifier, in FrozenEstimator if it is fitted.
        cv: folds, or a splitter, for an estimator that is not frozen; 5 by default, stratified.
        classes: the labels in the order of the columns, where X are scores and y does not have all of them.
        n_jobs: fits at a time.

    Attributes:
        calibrator_: the fitted `lastlayer.calibration.Calibrator`; ``calibrator_.write("calibrator.json")`` saves it.
        classes_: the labels, in the order of the columns.
        temperature_: T > 0, if the map has one.
        temperature_interval_: its 95 % interval (low, high), if it was fitted here.
        converged_: whether the map has a minimum.
        estimator_: the fitted classifier, if there is one.
        n_features_in_: the number of columns of X.

    >>> scores = [[4.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 2.0], [2.0, 0.0], [0.0, 3.0]]
    >>> model = ScoreCalibrator().fit(scores, ["no", "no", "yes", "yes", "yes", "no"])
    >>> model.predict_proba([[4.0, 0.0]]).round(2).tolist()
    [[0.77, 0.23]]
    """

    def __init__(
        self,
        map: str = "temperature",
        *,
        mapping: str = "softmax",
        kind: str | None = None,
        estimator: Any = None,
        cv: Any = None,
        classes: Sequence[Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.map = map
        self.mapping = mapping
        self.kind = kind
        self.estimator = estimator
        self.cv = cv
        self.classes = classes
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the map to scores X (n, K) or to an estimator's scores of features X, and labels y (n,).

        Args:
            sample_weight: (n,) ≥ 0; for the map, and for the estimator if it takes them.
            groups: (n,) for a `cv` that keeps groups together, and for `temperature_interval_`, in which a group is one observation.

        Raises:
            ValueError: an argument is outside its range, shapes do not fit, or a class has no column or too few rows.

        Warns:
            ConvergenceWarning: the map has no minimum.
        """
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; give one of {', '.join(KINDS)}, or None.")
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            check_weights(y, sample_weight)
        if self.estimator is None:
            kind, values, labels = self._of_scores(X, y)
        else:
            kind, values, labels = self._of_estimator(X, y, sample_weight, groups)
        rows = self._rows(values, kind)
        rows = replace(rows, floor=floor_of(rows))
        try:
            options = {"sample_weight": sample_weight, "groups": group_codes(groups, rows.n)}
            fitted = fit_map(self.map, rows, labels, mapping=self.mapping, **options)
            self.converged_ = True
        except UnboundedError as error:
            warnings.warn(f"{error} The scores are left as they are.", ConvergenceWarning, stacklevel=2)
            fitted = fit_map("none", rows, labels, mapping=self.mapping)
            self.converged_ = False
        facts = {"rows": rows.n, "version": ll.__version__}
        self._keep(replace(fitted.calibrator, class_names=self._names(), fitted_on=facts))
        if fitted.interval is not None:
            self.temperature_interval_ = fitted.interval
        return self

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, estimator: Any = None, classes: Sequence[Any] | None = None
    ) -> Self:
        """The calibrator of a calibrator.json, ready to predict.

        Args:
            path: a file that `Calibrator.write` or ``lastlayer evaluate --out`` wrote.
            estimator: the fitted classifier whose scores it calibrates; without it X are the scores.
            classes: the labels in the order of the columns; by default those of the estimator, the names in the file, or 0, 1, …

        Raises:
            OSError: the file cannot be read.
            ValueError: it is damaged, or has another number of classes.
        """
        calibrator = Calibrator.read(path)
        model = cls(calibrator.name, mapping=calibrator.mapping, kind=calibrator.kind, classes=classes)
        k = calibrator.n_classes
        names = np.arange(k) if calibrator.class_names is None else np.array(calibrator.class_names)
        if estimator is not None:
            check_is_fitted(estimator)
            kind_of(estimator, calibrator.kind)
            frozen = estimator if isinstance(estimator, FrozenEstimator) else FrozenEstimator(estimator)
            model.estimator = frozen
            model._keep_estimator(frozen)
            names = model.classes_
        else:
            model.n_features_in_ = 1 if calibrator.is_one_column else k
        model.classes_ = names if classes is None else np.asarray(classes)
        if len(model.classes_) != k:
            raise ValueError(
                f"The calibrator in {path} has {k} classes, and there are {len(model.classes_)}; give the model and the classes that it "
                "was fitted to."
            )
        model._keep(calibrator)
        model.converged_ = True
        return model

    def decision_function(self, X: Any) -> Floats:
        """The calibrated scores A x + b, (n, K), or their difference (n,) for two classes.

        They are log-probabilities if the mapping does not preserve the order of the scores.
        """
        values: Floats = self._ranking(X)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def predict(self, X: Any) -> Any:
        """The class with the largest probability."""
        best = np.argmax(self._ranking(X), axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Floats:
        """The calibrated probabilities, (n, K)."""
        values = self._values(X)
        return self.calibrator_.probabilities(values)

    def predict_log_proba(self, X: Any) -> Floats:
        """Their logarithms, exact where probabilities underflow."""
        values = self._values(X)
        return self.calibrator_.log_probabilities(values)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "calibrator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags

    def _of_scores(self, X: Any, y: Any) -> tuple[str, Floats, np.ndarray]:
        """(kind, X as scores or probabilities, labels 0 … K − 1)."""
        X, y = validate_data(self, as_column(X), y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_ = np.unique(y) if self.classes is None else np.asarray(self.classes)
        if len(self.classes_) < 2:
            raise ValueError(f"y has only one class, {self.classes_[0].item()!r}; give rows of at least two classes.")
        if self.kind is None and is_like_probabilities(X):
            raise ValueError(
                "X may hold probabilities: all numbers are between 0 and 1, and rows of several columns sum to 1; give "
                "kind='probabilities', or kind='scores' if they are scores."
            )
        return self.kind or "scores", X, codes(y, self.classes_)

    def _of_estimator(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> tuple[str, Floats, np.ndarray]:
        """(kind, scores or probabilities of rows that the classifier was not fitted to, labels 0 … K − 1)."""
        X, y = indexable(X, column_or_1d(y, warn=True))
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        kind = kind_of(self.estimator, self.kind)
        options = {"method": METHODS[kind], "cv": self.cv, "n_jobs": self.n_jobs}
        found = base_scores(self.estimator, X, y, sample_weight=sample_weight, groups=groups, **options)
        self._keep_estimator(found.estimator)
        return kind, found.values, codes(y, self.classes_)

    def _keep_estimator(self, estimator: Any) -> None:
        self.estimator_, self.classes_ = estimator, estimator.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))

    def _keep(self, calibrator: Calibrator) -> None:
        self.calibrator_ = calibrator
        for name in ("temperature_", "temperature_interval_"):
            self.__dict__.pop(name, None)
        if calibrator.name != "none" and calibrator.weight is None and calibrator.matrix is None:
            self.temperature_ = calibrator.temperature

    def _names(self) -> tuple[str, ...] | None:
        """The labels as a file holds them; None for 0, 1, …"""
        is_plain = self.classes_.dtype.kind in "iu" and np.array_equal(self.classes_, np.arange(len(self.classes_)))
        return None if is_plain else tuple(map(str, self.classes_))

    def _rows(self, values: Floats, kind: str) -> ScoreRows:
        """The numbers as scores or probabilities of `classes_`."""
        rows = ScoreRows(values, kind)  # type: ignore[arg-type]
        if rows.n_classes != len(self.classes_):
            raise ValueError(
                f"There are {values.shape[1] if values.ndim > 1 else 1} columns of {kind} for {len(self.classes_)} classes in y; give "
                "one column per class (one column for two classes), and classes= if y does not have all of them."
            )
        if kind == "probabilities" and not ((values >= 0) & (values <= 1)).all():
            raise ValueError("A probability is outside 0 … 1; give probabilities, or kind='scores'.")
        return rows

    def _values(self, X: Any) -> Floats:
        """What the map takes: scores or probabilities (n, K), or (n,) or (n, 1) for two classes."""
        check_is_fitted(self)
        if self.estimator is not None:
            return np.asarray(getattr(self.estimator_, METHODS[self.calibrator_.kind])(X))
        X = as_column(X) if self.calibrator_.is_one_column else X
        values: Floats = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return values

    def _ranking(self, X: Any) -> Floats:
        """Values (n, K) in the order of the probabilities."""
        values, record = self._values(X), ll.resolve_mapping(self.calibrator_.mapping)
        if "order_preserving" in record.laws and record.domain.is_valid is None:
            return self.calibrator_.scores(values)
        return self.calibrator_.log_probabilities(values)
