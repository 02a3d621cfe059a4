"""NumPy scores of every layout and dtype: right answers, inputs never written, results where they were asked for."""

from __future__ import annotations

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.backends import PORTABLE
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS

SCORES = np.random.default_rng(3).normal(size=(4, 6))
TRUTH = ll.softmax(SCORES)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "read-only": read_only(SCORES),
    "Fortran order": np.asfortranarray(SCORES),
    "strided": np.repeat(SCORES, 3, axis=1)[:, ::3],
    "reversed": SCORES[::-1].copy()[::-1],
    "byte-swapped": SCORES.astype(">f8"),
    "offset": np.concatenate([np.zeros((1, 6)), SCORES])[1:],
    "list": SCORES.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(layout):
    given = LAYOUTS[layout]
    before = np.array(given)
    got = ll.softmax(given)
    np.testing.assert_array_equal(got, TRUTH)
    assert got.dtype == np.float64
    assert got.dtype.isnative
    np.testing.assert_array_equal(np.array(given), before)


def test_zero_stride_rows():
    rows = np.broadcast_to(SCORES[0], (5, 6))
    np.testing.assert_array_equal(ll.softmax(rows), np.broadcast_to(TRUTH[0], (5, 6)))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_compute_in_float64(dtype):
    got = ll.softmax(np.array([1, 2, 3], dtype=dtype))
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, ll.softmax([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis(axis):
    x = np.random.default_rng(4).normal(size=(3, 4, 5))
    np.testing.assert_array_equal(ll.softmax(x, axis=axis), np.moveaxis(ll.softmax(np.moveaxis(x, axis, -1)), -1, axis))


def test_out_is_filled_and_returned():
    out = np.full_like(SCORES, np.nan)
    assert ll.softmax(SCORES, out=out) is out
    np.testing.assert_array_equal(out, TRUTH)


def test_out_may_be_the_scores():
    x = SCORES.copy()
    ll.softmax(x, out=x)
    np.testing.assert_array_equal(x, TRUTH)
    x = SCORES.copy()
    _, gradient = ll.loss_and_grad(x, [0, 1, 2, 3], out=x)
    assert gradient is x
    np.testing.assert_array_equal(x, ll.loss_and_grad(SCORES, [0, 1, 2, 3])[1])


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty((4, 5)), ValueError),
        (np.empty((4, 6), dtype=np.float32), TypeError),
        ([[0.0] * 6] * 4, TypeError),
        (read_only(SCORES), ValueError),
    ],
)
def test_unfit_out_is_refused(out, error):
    with pytest.raises(error, match="out"):
        ll.softmax(SCORES, out=out)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_loss_dtypes(dtype):
    value, gradient = ll.loss_and_grad(SCORES.astype(dtype), [0, 1, 2, 3])
    assert value.dtype == np.float32
    assert gradient.dtype == dtype


@pytest.mark.filterwarnings("error")
def test_domain_is_asked_in_the_precision_of_the_loss():
    huge = np.array([[60000.0, 2.0], [1.0, 3.0]], dtype=np.float16)
    tiny = np.array([[6e-8, 0.0], [6e-8, 6e-8]], dtype=np.float16)
    labels = np.array([0, 1])
    assert np.isfinite(ll.loss(huge, labels, mapping="ratio", temperature=0.5))
    # In half precision tiny / 3 rounds to zero, and all zeros are outside the domain.
    assert np.isfinite(ll.loss(tiny, labels[::-1] * 0, mapping="spherical", temperature=3.0))
    with pytest.raises(ll.DomainError, match="row 1"):
        ll.loss(np.array([[1.0, 2.0], [-1.0, 2.0]], dtype=np.float16), labels, mapping="ratio", temperature=0.5)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zero_of_either_sign_pulls_the_ratio_up(zero):
    _, gradient = ll.loss_and_grad(np.array([[zero, 2.0]]), np.array([0]), mapping="ratio")
    portable = PORTABLE.loss(MAPPINGS["ratio"], np.array([[zero, 2.0]]), np.array([0]), False, LossOptions(), True)[1]
    assert gradient[0, 0] == portable[0, 0] == -np.inf
