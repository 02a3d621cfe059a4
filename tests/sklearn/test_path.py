"""A path of fits along C is as good as single fits, prepared once, and lazy."""

from __future__ import annotations

import numpy as np
import pytest
from planted_problems import blobs

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier, path

X, LABELS = blobs(rows=60, features=3)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


def objective(mapping: ll.ProbabilityMapping, point: path.PathPoint) -> float:
    scores = X @ point.coef.T + point.intercept
    penalty = 0.5 / point.C * float(np.sum(point.coef**2))
    if mapping.linear.method == "margin":
        margins = scores - scores[np.arange(len(X)), LABELS][:, None] + 1.0
        margins[np.arange(len(X)), LABELS] = 0.0
        return float(margins.max(axis=1).sum()) + penalty
    return float(ll.loss(scores, LABELS, mapping=mapping, reduction="sum")) + penalty


@pytest.mark.parametrize("mapping", ll.MAPPINGS.values(), ids=ll.MAPPINGS)
def test_points_are_single_fits(mapping: ll.ProbabilityMapping) -> None:
    points = list(path.fit_path(mapping, X, LABELS, STRENGTHS, seed=0, tol=1e-6, max_iter=1000))
    assert [point.C for point in points] == list(STRENGTHS)
    for point in points:
        single = LastLayerClassifier(mapping, C=point.C, tol=1e-6, max_iter=1000, n_restarts=1).fit(X, LABELS)
        assert point.coef.shape == single.coef_.shape
        assert point.intercept.shape == single.intercept_.shape
        assert objective(mapping, point) <= single.objective_ * (1 + 1e-4)
        if "convex_loss" in mapping.laws:
            assert objective(mapping, point) >= single.objective_ * (1 - 1e-4)


@pytest.mark.parametrize("mapping", ["softmax", "sparsemax", "ratio", "hardmax"])
def test_the_rows_are_prepared_once_and_fits_wait_to_be_asked(mapping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"prepare": 0, "solve": 0}

    def counted(name: str) -> None:
        original = getattr(path, name)

        def call(*args: object, **options: object) -> object:
            calls[name] += 1
            return original(*args, **options)

        monkeypatch.setattr(path, name, call)

    counted("prepare")
    counted("solve")
    points = path.fit_path(ll.MAPPINGS[mapping], X, LABELS, STRENGTHS, seed=0, tol=1e-4, max_iter=100)
    assert calls == {"prepare": 0, "solve": 0}
    next(points)
    next(points)
    assert calls == {"prepare": 1, "solve": 2}


def test_later_fits_start_from_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path from the other end gives the same optima; a repeated C takes no further iteration."""
    mapping = ll.MAPPINGS["sparsemax"]
    options = {"seed": 0, "tol": 1e-8, "max_iter": 1000}
    there = list(path.fit_path(mapping, X, LABELS, STRENGTHS, **options))
    back = list(path.fit_path(mapping, X, LABELS, STRENGTHS[::-1], **options))[::-1]
    for one, other in zip(there, back, strict=True):
        np.testing.assert_allclose(one.coef, other.coef, atol=1e-5)
    iterations = []
    original = path.solve

    def watched(*args: object, **kwargs: object) -> object:
        solution, spread = original(*args, **kwargs)
        iterations.append(solution.iterations)
        return solution, spread

    monkeypatch.setattr(path, "solve", watched)
    list(path.fit_path(mapping, X, LABELS, (0.1, 0.1), **options))
    assert iterations[0] > 3
    assert iterations[1] <= 2


def test_an_earlier_fit_is_a_start_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = ll.MAPPINGS["sparsemax"]
    options = {"seed": 0, "tol": 1e-8, "max_iter": 1000}
    iterations = []
    original = path.solve

    def watched(*args: object, **kwargs: object) -> object:
        solution, spread = original(*args, **kwargs)
        iterations.append(solution.iterations)
        return solution, spread

    monkeypatch.setattr(path, "solve", watched)
    (cold,) = path.fit_path(mapping, X, LABELS, (0.1,), **options)
    (again,) = path.fit_path(mapping, X, LABELS, (0.1,), **options, start=cold)
    assert iterations[1] <= 2 < iterations[0]
    np.testing.assert_allclose(again.coef, cold.coef, atol=1e-6)
    (half,) = path.fit_path(mapping, X[::2], LABELS[::2], (0.1,), **options)
    (led,) = path.fit_path(mapping, X, LABELS, (0.1,), **options, start=half)
    np.testing.assert_allclose(led.coef, cold.coef, atol=1e-5)
    # A fit of other classes cannot be a start.
    (two,) = path.fit_path(mapping, X[LABELS < 2], LABELS[LABELS < 2], (0.1,), **options)
    (unled,) = path.fit_path(mapping, X, LABELS, (0.1,), **options, start=two)
    np.testing.assert_array_equal(unled.coef, cold.coef)
