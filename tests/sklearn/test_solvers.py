"""Properties of the solvers: lower bounds are below every objective, and large problems are solved like small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted_problems import CLASSES, blobs
from scipy import sparse
from scipy.linalg import null_space
from sklearn.exceptions import ConvergenceWarning

from lastlayer.sklearn import LastLayerClassifier, barrier_newton, fitting, interior_point, margin_newton
from lastlayer.sklearn.conjugate_gradients import conjugate_gradients
from lastlayer.sklearn.coordinates import Coordinates, coordinates
from lastlayer.sklearn.margin import hinge_objective, lower_bound
from lastlayer.sklearn.problem import LinearProblem, linear_problem

X, LABELS = blobs(rows=200, features=8, seed=4)
PROBLEM = linear_problem(X, LABELS, np.ones(len(X)), CLASSES, C=0.3, fit_intercept=True)


@pytest.mark.parametrize("seed", range(20))
def test_the_lower_bound_is_below_every_objective(seed: int) -> None:
    random = np.random.default_rng(seed)
    theta = random.normal(scale=10.0 ** random.uniform(-3, 1), size=(X.shape[1] + 1, CLASSES))
    multipliers = random.dirichlet(np.ones(CLASSES) * 10.0 ** random.uniform(-2, 2), size=len(X))
    assert lower_bound(PROBLEM, multipliers) <= hinge_objective(PROBLEM, theta)


def test_the_lower_bound_allows_for_free_intercepts() -> None:
    """With uninformative features and a frequent class, intercepts alone take the hinge below one.

    A lower bound that ignored them would be one.
    """
    labels = np.array([0] * 14 + [1, 2] * 3)
    problem = linear_problem(1e-3 * X[:20], labels, np.ones(20), CLASSES, C=1.0, fit_intercept=True)
    theta = np.zeros((X.shape[1] + 1, CLASSES))
    theta[-1, 0] = 1.0
    assert hinge_objective(problem, theta) < 0.7
    wrong_classes = np.eye(CLASSES)[(labels + 1) % CLASSES]
    assert lower_bound(problem, wrong_classes) <= hinge_objective(problem, theta)


def inside_point(problem: LinearProblem, size: float) -> np.ndarray:
    """A random θ whose scores are all positive and whose intercepts sum to one."""
    theta = np.random.default_rng(7).normal(scale=size, size=(X.shape[1] + 1, CLASSES))
    theta[-1] = problem.frequencies
    assert problem.scores(theta).min() > 0
    return theta


@pytest.mark.parametrize("limits", [(64, 256), (5, 5)], ids=["blocks", "low rank"])
@pytest.mark.parametrize("rtol", [1e-8, 1e-2])
def test_newton_steps_are_newtons(limits: tuple[int, int], rtol: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with a direct solve of the whole Hessian on the plane where intercept steps sum to zero."""
    monkeypatch.setattr(barrier_newton, "LEAST_ROWS", limits[0])
    monkeypatch.setattr(barrier_newton, "MOST_ROWS", limits[1])
    inner = coordinates(PROBLEM, keeps_offset=True)
    problem = inner.problem
    scores = problem.scores(inner.enter(inside_point(PROBLEM, 0.005)))
    random = np.random.default_rng(8)
    convex = problem.row_weight[:, None] * random.uniform(2.0, 4.0, size=scores.shape)
    concave = problem.row_weight * random.uniform(0.1, 0.2, size=len(scores))
    size = problem.penalty.size
    design = problem.design
    hessian = np.kron(np.ones((CLASSES, CLASSES)), -(design.T * concave) @ design)
    for k in range(CLASSES):
        block = slice(k * size, (k + 1) * size)
        hessian[block, block] += (design.T * convex[:, k]) @ design + np.diag(problem.penalty[:, 0])
    plane = null_space(np.kron(np.ones(CLASSES), np.eye(size)[-1])[None, :])
    gradient = random.normal(size=(size, CLASSES))
    exact = -plane @ np.linalg.solve(plane.T @ hessian @ plane, plane.T @ gradient.T.ravel())
    newton = barrier_newton.BarrierNewton(inner, rtol=rtol, most_products=100)
    newton.move_to(convex, concave, problem.penalty)
    step = newton.step(gradient).theta
    np.testing.assert_allclose(step.T.ravel(), exact, atol=2 * rtol * np.abs(exact).max() + 1e-7)
    assert abs(np.sum(step[-1])) < 1e-9 * np.abs(step).max() + 1e-12
    # The kept preconditioner still serves a little further on.
    newton.move_to(1.1 * convex, 0.9 * concave, problem.penalty)
    assert np.sum(gradient * newton.step(gradient).theta) < 0


def test_a_step_towards_the_boundary_stops_before_the_barrier_rises() -> None:
    """One row per class, so that the barrier of one score is large enough to shorten the step."""
    problem = linear_problem(np.eye(CLASSES), np.arange(CLASSES), np.ones(CLASSES), CLASSES, C=1e3, fit_intercept=True)
    theta = np.zeros((CLASSES + 1, CLASSES))
    theta[-1] = problem.frequencies
    scores, mu = problem.scores(theta), 2.0
    gauge = interior_point.Gauge(Coordinates(problem, theta, np.eye(CLASSES + 1)[:, -1:], False, *3 * (lambda v: v,)))
    step = np.vstack([np.eye(CLASSES) - 0.3, np.zeros(CLASSES)])
    grad_scores = problem.row_weight[:, None] * (
        1.0 / scores.sum(axis=1, keepdims=True) - (problem.targets + mu) / scores
    )
    slope = float(np.sum(step * (problem.pull_back(grad_scores) + problem.penalty * theta)))
    assert slope < 0
    direction = interior_point.Direction(9.0 * step, 9.0 * problem.scores(step), problem.targets, 9.0 * slope, False)

    def phi(length: float) -> float:
        moved = theta + length * direction.theta
        return interior_point.objective(problem, gauge, moved, problem.scores(moved), mu)

    assert phi(direction.longest(scores)) > phi(0.0)
    assert phi(interior_point._step_length(problem, gauge, theta, scores, direction, mu)) < phi(0.0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("mapping", "most"), [("ratio", 42), ("hardmax", 28)])
def test_interior_methods_take_few_iterations(mapping: str, most: int) -> None:
    """Corrections and stopping rules save iterations; a test of the optimum would not notice if they were broken."""
    fits = [LastLayerClassifier(mapping, C=C, n_restarts=1).fit(X, LABELS) for C in (1e-4, 1e-2, 1.0)]
    assert sum(fit.n_iter_ for fit in fits) <= most


@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_smoothed_hinges_are_as_near_as_they_say(
    container: Callable[[np.ndarray], Any], C: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way for problems whose matrix would be large, compared with the quadratic program's optimum."""
    best = LastLayerClassifier("hardmax", C=C, tol=1e-8).fit(X, LABELS).objective_
    monkeypatch.setattr(fitting, "SMALL", 0)
    with pytest.warns(ConvergenceWarning, match="cut short .* proved to be within [^ ]* of the optimum") as caught:
        model = LastLayerClassifier("hardmax", C=C).fit(container(X), LABELS)
    gap = float(str(caught[0].message).split("within ")[1].split(" ")[0])
    assert 0 <= model.objective_ / best - 1 <= gap
    assert model.objective_ <= 1.03 * best
    assert model.is_cut_short_
    assert not model.converged_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_close_and_rough_paths_meet_where_the_ratio_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """For small C, where it fits best, the path is easy and every pace leads to the same optimum."""
    exact = LastLayerClassifier("ratio", C=1e-3, tol=1e-6).fit(X, LABELS)
    assert exact.converged_
    for pace in ("CLOSE", "ROUGH"):
        monkeypatch.setattr(interior_point, "pace_of", lambda problem, tol, pace=pace: getattr(interior_point, pace))
        model = LastLayerClassifier("ratio", C=1e-3, tol=1e-4).fit(X, LABELS)
        assert model.objective_ == pytest.approx(exact.objective_, rel=1e-3)
        assert not np.array_equal(model.coef_, exact.coef_)


def test_what_is_cut_short_says_so() -> None:
    """Hard for the ratio: separable classes and a weak penalty, so that many scores are at the boundary."""
    features, labels = blobs(rows=400, features=30, seed=1)
    with pytest.warns(ConvergenceWarning, match="ratio stopped after .* cut short.* For a longer fit lower tol"):
        model = LastLayerClassifier("ratio", C=100.0).fit(features, labels)
    assert model.is_cut_short_
    assert not model.converged_
    assert not LastLayerClassifier().fit(features, labels).is_cut_short_


@pytest.mark.parametrize("refused", ["too coarse", "not positive definite"])
def test_a_bad_float32_factor_is_replaced_by_float64(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    factored, dtypes = margin_newton._factored, []

    def watched(problem: LinearProblem, block_weights: Any, coupling: Any, dtype: type) -> Any:
        dtypes.append(dtype)
        return factored(problem, block_weights, coupling, dtype)

    monkeypatch.setattr(margin_newton, "_factored", watched)
    usual = LastLayerClassifier("hardmax", tol=1e-6).fit(X, LABELS)
    assert np.float32 in dtypes
    assert len(dtypes) < 2 * usual.n_iter_
    dtypes.clear()
    if refused == "too coarse":
        monkeypatch.setattr(margin_newton, "FEW", 1)
    else:
        monkeypatch.setitem(margin_newton.RIDGE, np.float32, -1.0)
    again = LastLayerClassifier("hardmax", tol=1e-6).fit(X, LABELS)
    assert dtypes[:2] == [np.float32, np.float64]
    assert again.converged_
    assert again.objective_ == pytest.approx(usual.objective_, rel=2e-6)


def test_features_beyond_float32_are_factored_in_float64() -> None:
    usual = LastLayerClassifier("hardmax", C=1.0, tol=1e-4).fit(X, LABELS)
    huge = LastLayerClassifier("hardmax", C=1e-40, tol=1e-4).fit(X * 1e20, LABELS)
    assert huge.converged_
    assert huge.n_iter_ <= usual.n_iter_ + 3
    np.testing.assert_allclose(huge.coef_ * 1e20, usual.coef_, rtol=1e-2, atol=1e-2)


def test_warm_starts_save_iterations_on_a_path_of_hinges() -> None:
    warm = LastLayerClassifier("hardmax", tol=3e-2, warm_start=True)
    taken = {"warm": 0, "cold": 0}
    for C in np.logspace(-4, 2, 7):
        taken["warm"] += warm.set_params(C=C).fit(X, LABELS).n_iter_
        cold = LastLayerClassifier("hardmax", tol=3e-2, C=C).fit(X, LABELS)
        taken["cold"] += cold.n_iter_
        assert warm.objective_ == pytest.approx(cold.objective_, rel=4e-2)
    assert taken["warm"] < 0.9 * taken["cold"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("mapping", ["ratio", "hardmax"])
def test_features_of_very_different_scales(mapping: str) -> None:
    """Millimetres next to kilometres, a constant column and a column of zeros."""
    scales = np.logspace(-3, 3, X.shape[1])
    odd = np.hstack([X * scales, np.full((len(X), 1), 5.0), np.zeros((len(X), 1))])
    model = LastLayerClassifier(mapping, n_restarts=1).fit(odd, LABELS)
    assert model.converged_ or model.is_cut_short_
    assert model.score(odd, LABELS) > 0.7


@pytest.mark.parametrize("C", [1.0, 1e4, 1e8])
def test_separable_classes_keep_a_finite_hinge(C: float) -> None:
    """If nothing is misclassified, the objective is only the penalty, and the gap is proved relative to it.

    The penalty may be tiny, so the rounding error of the class with the largest weight must not exceed the others' part.
    """
    far = X + 8.0 * np.eye(CLASSES, X.shape[1])[LABELS]
    model = LastLayerClassifier("hardmax", C=C).fit(far, LABELS)
    assert model.converged_
    assert model.n_iter_ <= 15
    scores = far @ model.coef_.T + model.intercept_
    margins = scores[np.arange(len(far)), LABELS][:, None] - scores + np.eye(CLASSES)[LABELS]
    assert margins.min() > 1.0 - 1e-2


def test_rows_of_tiny_weight_change_nothing() -> None:
    """float32 cannot represent such weights, so the float32 Hessian must not contain them."""
    weight = np.where(np.arange(len(X)) % 7 == 0, 1e-60, 1.0)
    some, without = (
        LastLayerClassifier(tol=1e-9).fit(X, LABELS, w) for w in (weight, np.where(weight < 1.0, 0.0, weight))
    )
    assert some.converged_
    np.testing.assert_allclose(some.coef_, without.coef_, atol=1e-6)


def test_conjugate_gradients_solve_and_detect_negative_curvature() -> None:
    random = np.random.default_rng(0)
    root = random.normal(size=(6, 6))
    matrix = root @ root.T + np.eye(6)
    right = random.normal(size=(6, 1))
    solved = conjugate_gradients(lambda v: matrix @ v, right, lambda v: v, rtol=1e-12, max_iter=50)
    np.testing.assert_allclose(solved.step, np.linalg.solve(matrix, right), rtol=1e-9)
    assert not solved.is_curved_down
    assert 0 < solved.products <= 7
    nothing = conjugate_gradients(lambda v: matrix @ v, 0.0 * right, lambda v: v, rtol=1e-12, max_iter=50)
    assert not nothing.step.any()
    assert nothing.products == 0
    indefinite = matrix - 5.0 * np.eye(6)
    assert np.linalg.eigvalsh(indefinite)[0] < 0
    stopped = conjugate_gradients(lambda v: indefinite @ v, right, lambda v: v, rtol=1e-12, max_iter=50)
    assert stopped.is_curved_down
    assert float(np.sum(stopped.step * right)) > 0
    first = conjugate_gradients(lambda v: -v, right, lambda v: 2.0 * v, rtol=1e-12, max_iter=50)
    assert first.is_curved_down
    np.testing.assert_array_equal(first.step, 2.0 * right)
