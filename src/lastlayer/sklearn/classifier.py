"""A multinomial linear model under any mapping, as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import lastlayer as ll
from lastlayer.sklearn.answers import log_probabilities, probabilities, ranking
from lastlayer.sklearn.fitting import fit_from_starts
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.problem import Floats, Solution, join_theta, linear_problem, split_theta


class LastLayerClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear classifier: scores x = Wz + b of the features z, turned into probabilities by a mapping and trained by its loss.

    It minimises  Σᵢ sᵢ · loss(xᵢ, yᵢ) + ½‖W‖²/C,  where sᵢ is the sample weight times the weight of the row's class. The
    intercepts b are not penalised. For ``mapping="softmax"`` and three or more classes this is scikit-learn's
    ``LogisticRegression`` with the same C.

    With two classes C is half of scikit-learn's. Here W has a row for each class; scikit-learn has a single row w, their
    difference. The loss depends only on w = w₂ − w₁, and among all W with this difference the penalty is least at
    w₂ = −w₁ = w/2:

        ½‖W‖²/C = ½ · 2‖w/2‖²/C = ½‖w‖²/(2C).

    So ``LastLayerClassifier(C=0.5)`` gives the probabilities of ``LogisticRegression(C=1.0)``.

    The record's ``linear`` makes the fit well posed for every mapping. Its ``method`` is one of three:

    - ``method="loss"``: L-BFGS on the mapping's loss and gradient; truncated Newton for softmax. The penalty does not
      determine the intercepts, so a constraint fixes what the loss leaves free: they sum to zero if a shift of all scores
      changes nothing; they have norm one, or sum to one, if the scale of the scores changes nothing.
    - ``method="interior_point"`` (the ratio): an interior-point path keeps the scores of all training rows positive.
    - ``method="margin"`` (hardmax): its Fenchel–Young loss is minimised by W = 0, so it cannot be used for training. The
      model is trained by the multiclass hinge loss of Crammer & Singer (2001) instead,
      maxⱼ (xⱼ + 1[j ≠ y]) − x_y, to a proved gap from the optimum.

    Features are centred and rotated inside, so that their scales, offsets and correlations cost no iterations. The objective
    is that of the features as given.

    If the loss is not convex in the scores, and the penalty leaves room for several minima, `n_restarts` starts are compared on
    few rows and loosely. Another start than the default one is followed only if it ends better there.

    A fit may be cut short before `tol`, where more iterations would gain too little for what they cost: mostly the ratio's,
    hardmax's and spherical's with a weak penalty. `is_cut_short_` says so, and a smaller `tol` postpones it.

    Args:
        mapping: a name ("sparsemax"), a name with parameters ("entmax:alpha=1.3"), or a `ProbabilityMapping`.
        C: inverse strength of the penalty, > 0. ``np.inf`` means no penalty; it is allowed for ``method="loss"``. If the
            classes are separable, a loss that never reaches 0, such as softmax's, then has no minimum: the fit stops when
            the gradient is below `tol`, with larger weights for a smaller `tol`. ``interior_point`` and ``margin`` refuse
            ``np.inf``: without a penalty nothing bounds the ratio's weights or the gap of the hinge.
        class_weight: {class: weight}, where classes not named have weight 1; "balanced" for the weights
            (Σ sample_weight)/(K · Σ sample_weight of the class); or None for 1. It multiplies `sample_weight`, as in
            scikit-learn.
        fit_intercept: whether to fit intercepts. Mappings that do not accept a row of zero scores need them.
        max_iter: the largest number of iterations per start.
        tol: when to stop. ``loss``: both the largest entry of the gradient of the objective divided by the total sample weight,
            in features scaled to mean 0 and mean square 1, and the predicted decrease of the objective, relative to it;
            ``margin``: the relative gap to the optimum; ``interior_point``: what the barrier may add to the objective,
            relative to the loss at the class frequencies.
        n_restarts: the number of starts if the loss is not convex, including the default start; ``interior_point`` has one.
        random_state: seed of the other starts.
        warm_start: start from the weights of the previous fit, if it had the same classes and features; for a path over C.
            ``interior_point`` ignores it, since its path gains nothing from a start.

    Attributes:
        coef_: W, (K, n_features): one row per class. Two classes have two rows, since most mappings do not depend on the
            difference of the scores alone.
        intercept_: b, (K,).
        classes_: the labels, sorted.
        n_features_in_: the number of features seen in `fit`.
        class_frequencies_: the weighted frequency of each class among the training rows, (K,).
        n_iter_: iterations of the start that was kept.
        converged_: whether that start reached `tol`.
        is_cut_short_: whether the fit stopped on purpose before `tol`. Then `converged_` is False, and a warning says so.
        objective_: the minimum found of the sum above.
        restart_spread_: the largest minus the smallest objective that the starts reached when they were compared, which is
            loosely, on at least 1000 rows (all, if there are fewer than 2000), and not to the end for a start that was seen to
            lose. It is scaled to all rows; 0.0 if there was one start.

    >>> model = LastLayerClassifier("sparsemax").fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.2], [2.9]]).tolist()
    ['no', 'yes']
    >>> model.predict_proba([[2.9]]).round(3).tolist()
    [[0.033, 0.967]]
    """

    def __init__(
        self,
        mapping: str | ll.ProbabilityMapping = "softmax",
        *,
        C: float = 1.0,
        class_weight: Mapping[Any, float] | str | None = None,
        fit_intercept: bool = True,
        max_iter: int = 500,
        tol: float = 1e-4,
        n_restarts: int = 3,
        random_state: int | np.random.RandomState | None = 0,
        warm_start: bool = False,
    ) -> None:
        self.mapping = mapping
        self.C = C
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_restarts = n_restarts
        self.random_state = random_state
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to features X (n, d), dense or sparse, and labels y (n,) of any sortable kind.

        Raises:
            TypeError: `mapping` is neither a name nor a record.
            ValueError: an argument is outside its range, fewer than two classes have weight, or shapes do not fit.

        Warns:
            ConvergenceWarning: `max_iter` was reached before `tol`.
        """
        mapping = self._checked_mapping()
        # validate_data first sums all values to test for NaN; huge values of both signs make that sum NaN, with a warning.
        with np.errstate(invalid="ignore"):
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        if y.dtype.kind not in "biuUS":  # Booleans, integers and strings are always class labels.
            check_classification_targets(y)
        sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        previous = self._previous_fit() if self.warm_start else None
        self.classes_, labels = np.unique(y, return_inverse=True)
        sample_weight = self._with_class_weight(y, labels, sample_weight)
        self._check_classes(labels, sample_weight)
        problem = linear_problem(
            X, labels, sample_weight, len(self.classes_), C=self.C, fit_intercept=bool(self.fit_intercept)
        )
        self.class_frequencies_ = problem.frequencies
        is_same = previous is not None and np.array_equal(previous[0], self.classes_)
        first = join_theta(problem, *previous[1:]) if previous is not None and is_same else None
        solution, spread = fit_from_starts(
            problem,
            mapping,
            first=first,
            n_restarts=self.n_restarts,
            random_state=self.random_state,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        weights, self.intercept_ = split_theta(problem, solution.theta)
        self.coef_ = np.ascontiguousarray(weights.T)
        total = float(sample_weight.sum())
        self.objective_, self.restart_spread_ = solution.objective * total, spread * total
        self.n_iter_, self.converged_ = max(1, solution.iterations), solution.converged
        self.is_cut_short_ = solution.is_cut_short
        if not solution.converged:
            warnings.warn(self._not_converged(mapping, solution), ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Any) -> Floats:
        """The scores if the mapping preserves their order, else the log-probabilities: (n, K), or (n,) for two classes.

        The largest column is the predicted class. For two classes it is the second column minus the first. Rows outside the
        mapping's domain without a positive score have `class_frequencies_` in place of scores.
        """
        values = ranking(self._scores(X), self._mapping(), self.class_frequencies_)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def predict(self, X: Any) -> Any:
        """The most probable class, as `predict_proba` has it where one class is more probable than every other.

        Where probabilities are rounded to the same number, by 0 or 1 in float64, scores or log-probabilities decide.
        """
        values = ranking(self._scores(X), self._mapping(), self.class_frequencies_)
        return self.classes_[np.argmax(values, axis=1)]

    def predict_proba(self, X: Any) -> Floats:
        """p, (n, K): the mapping applied to the scores. Every row sums to one, so that scikit-learn's scorers work.

        A row outside the mapping's domain has max(x, 0)/Σ max(x, 0), and `class_frequencies_` if no score is positive. If the
        mapping reserves probability for an outcome that is not a class ("sums_to_one" is not among its laws), p is given that
        the outcome is one of the classes. ``lastlayer.probabilities(scores, mapping=…)`` does neither.
        """
        return probabilities(self._scores(X), self._mapping(), self.class_frequencies_)

    def predict_log_proba(self, X: Any) -> Floats:
        """log p, (n, K), computed directly: accurate even if p is too small or too close to one for its logarithm to be."""
        return log_probabilities(self._scores(X), self._mapping(), self.class_frequencies_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _mapping(self) -> ll.ProbabilityMapping:
        return ll.resolve_mapping(self.mapping)

    def _scores(self, X: Any) -> Floats:
        check_is_fitted(self)
        with np.errstate(invalid="ignore"):
            X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_.T) + self.intercept_

    def _checked_mapping(self) -> ll.ProbabilityMapping:
        """Check all arguments; the mapping's record."""
        mapping = self._mapping()
        for name, kind, words in (
            ("C", Real, "a number above 0, or np.inf for no penalty"),
            ("tol", Real, "a finite number above 0"),
            ("max_iter", Integral, "a whole number of at least 1"),
            ("n_restarts", Integral, "a whole number of at least 1"),
        ):
            value = getattr(self, name)
            most = np.inf if name == "C" else np.finfo(float).max
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < float(value) <= most:
                raise ValueError(f"{name} is {value!r}; give {words}.")
        if np.isinf(self.C) and mapping.linear.method != "loss":
            raise ValueError(
                f"C is inf, but {mapping.label} is trained by the method {mapping.linear.method!r}, which needs a penalty; "
                "give a finite C, such as 1e6."
            )
        constraint = mapping.linear.intercept_constraint
        if not self.fit_intercept and INTERCEPT_CONSTRAINTS[constraint].needs_intercept:
            raise ValueError(
                f"fit_intercept is False, but {mapping.label} needs intercepts: its domain is {mapping.domain.description}, "
                f"and a constraint on the intercepts ({constraint}) fixes its scale; set fit_intercept=True."
            )
        return mapping

    def _not_converged(self, mapping: ll.ProbabilityMapping, solution: Solution) -> str:
        """What the warning of a fit says that stopped before `tol`."""
        remedy = "Raise tol,"
        if solution.is_cut_short:
            remedy = f"For a longer fit lower tol (now {self.tol:g}); for an easier one"
        elif solution.iterations >= self.max_iter:
            remedy = f"Raise max_iter (now {self.max_iter}) or tol,"
        return (
            f"{mapping.label} stopped after {solution.iterations} iterations before reaching its optimum: "
            f"{solution.distance}. {remedy} lower C (now {self.C:g}), or bring the features to a common scale."
        )

    def _with_class_weight(self, y: Any, labels: Any, sample_weight: Floats) -> Floats:
        """The sample weights times the weight of each row's class."""
        if self.class_weight is None or len(self.classes_) < 2:
            return sample_weight
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            # compute_class_weight counts rows by sample weight only from scikit-learn 1.7 on.
            share = np.bincount(labels, weights=sample_weight / (sample_weight.max() or 1.0))
            balance = np.divide(share.sum(), len(share) * share, out=np.ones(len(share)), where=share > 0)
        else:
            balance = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if not (np.isfinite(balance) & (balance >= 0)).all():
            raise ValueError(f"class_weight is {self.class_weight!r}; give finite weights of 0 or more.")
        return np.asarray(sample_weight * balance[labels])

    def _check_classes(self, labels: Any, sample_weight: Floats) -> None:
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has only one class, {self.classes_[:1].tolist()[0]!r}; give rows of at least two classes."
            )
        with np.errstate(over="ignore"):
            weight = np.bincount(labels, weights=sample_weight)
        if not weight.all():
            raise ValueError(
                f"no row of class {self.classes_.tolist()[np.argmin(weight)]!r} has a sample_weight above 0"
                f"{'' if self.class_weight is None else ' after multiplication by class_weight'}; give a row of it a positive weight, "
                "or remove its rows from X and y."
            )
        if not np.isfinite(weight.sum()):
            raise ValueError("sample_weight sums to more than the largest float64; divide it by its largest value.")

    def _previous_fit(self) -> tuple[Any, Floats, Floats] | None:
        """Classes, weights and intercepts of the previous fit, if there is one."""
        return (self.classes_, self.coef_.T, self.intercept_) if hasattr(self, "coef_") else None
