"""The kernels' vector-Jacobian products: against a wider type, on rows of every length, and the arguments they refuse."""

from __future__ import annotations

import numpy as np
import pytest

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")


def pulled(s, v):
    s, v = s.astype(np.longdouble), v.astype(np.longdouble)
    total = s.sum(1, keepdims=True)
    return s * (v - (s * v).sum(1, keepdims=True) / np.where(total <= 0, 1, total))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [1, 2, 7, 8, 9, 16, 31, 64, 65, 1000, 1003])
def test_every_length_of_rows(dtype, classes):
    rng = np.random.default_rng(classes)
    s = rng.dirichlet(np.ones(classes), 40).astype(dtype)
    s[3], s[5, ::2] = 0.0, 0.0
    v = rng.normal(size=s.shape).astype(dtype)
    expected, out = pulled(s, v), np.empty_like(s)
    kernels.pull_back(s, v, out)
    # One rounding of the result; in float64 also the roundings of the two sums.
    allowed = np.finfo(dtype).eps / 2 * np.abs(expected) + classes * 2.0**-52 * s * np.abs(v).max(1, keepdims=True)
    assert (np.abs(out - expected) <= allowed).all()
    kernels.pull_back(s, v, s)
    np.testing.assert_array_equal(s, out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [1, 2, 7, 8, 9, 16, 31, 64, 65, 1000, 1003])
def test_logarithms_of_every_length(dtype, classes):
    """Each entry within 2 eps of its two terms; if the whole cotangent is on one class, (1 − p) v to the last digits."""
    rng = np.random.default_rng(classes)
    x = (4.0 * rng.normal(size=(40, classes))).astype(np.longdouble)
    x[1, 0] += 40.0
    x[2] *= 30.0
    x[3, ::2] = -np.inf
    x[3, 0] = 0.0
    largest = x.max(1, keepdims=True)
    logarithms = (x - largest - np.log(np.exp(x - largest).sum(1, keepdims=True))).astype(dtype)
    v = rng.normal(size=x.shape).astype(dtype)
    v[:9], v[:9, 0] = 0.0, 1.0
    lp, cotangents = logarithms.astype(np.longdouble), v.astype(np.longdouble)
    own = cotangents * -np.expm1(lp)
    elsewhere = np.exp(lp) * (cotangents.sum(1, keepdims=True) - cotangents)
    allowed = 2.0 * np.finfo(dtype).eps * (np.abs(own) + np.abs(elsewhere)) + 2.0 * np.finfo(dtype).smallest_subnormal
    out = np.full_like(v, np.nan)
    kernels.pull_back_logarithms(logarithms, v, out)
    assert (np.abs(out - (own - elsewhere)) <= allowed).all()
    kernels.pull_back_logarithms(logarithms, v, v)
    np.testing.assert_array_equal(v, out)


def test_cotangents_whose_sum_overflows_float32():
    logarithms, v = np.log(np.full((1, 4), 0.25, np.float32)), np.array([[2e38, 2e38, -1e38, 1e38]], np.float32)
    out = np.empty_like(v)
    kernels.pull_back_logarithms(logarithms, v, out)
    np.testing.assert_allclose(out, [[1e38, 1e38, -2e38, 0.0]], rtol=1e-6, atol=1e32)


@pytest.mark.parametrize(
    "change",
    [
        {"cotangents": np.ones((2, 4), np.float32)},
        {"cotangents": np.ones((2, 3))},
        {"out": np.ones((3, 3), np.float32)},
        {"out": np.ones((3, 2), np.float32).T},
        {"slopes": np.ones((2, 6), np.float32)[:, ::2]},
        {"slopes": np.ones((2, 3), np.float16)},
    ],
)
def test_buffers_that_do_not_fit_are_refused(change):
    given = {what: np.ones((2, 3), np.float32) for what in ("slopes", "cotangents", "out")}
    kernels.pull_back(**given)
    with pytest.raises(TypeError):
        kernels.pull_back(**{**given, **change})
    renamed = [
        {{"slopes": "logarithms"}.get(name, name): array for name, array in g.items()}
        for g in (given, {**given, **change})
    ]
    kernels.pull_back_logarithms(**renamed[0])
    with pytest.raises(TypeError):
        kernels.pull_back_logarithms(**renamed[1])
