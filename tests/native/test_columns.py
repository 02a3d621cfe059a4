"""Matrices with contiguous columns: the kernels read them in place, and give the bits of contiguous rows."""

from __future__ import annotations

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.backends import NUMPY
from lastlayer.losses import LossOptions

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
DTYPES = (np.float32, np.float64)
SHAPES = [(1, 5), (2, 3), (15, 7), (17, 64), (33, 65), (40, 129), (100, 1000), (3, 5000), (700, 10)]


def scores(shape, dtype, seed=0):
    return np.abs(np.random.default_rng(seed).normal(size=shape) * 5).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["softmax", "ratio", "sparsemax", "entmax"])
def test_columns_give_the_bits_of_rows(name, shape, dtype):
    rows = scores(shape, dtype)
    columns = np.asfortranarray(rows)
    mapping = ll.MAPPINGS[name]
    for quantity in ("probabilities", "log_probabilities", "log_partition"):
        expected = NUMPY.evaluate(mapping, rows, quantity)
        np.testing.assert_array_equal(NUMPY.evaluate(mapping, columns, quantity), expected)
        if quantity != "log_partition":
            out = np.empty_like(columns)
            assert NUMPY.evaluate(mapping, columns, quantity, out) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("is_soft", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_losses_of_columns_give_the_bits_of_rows(shape, is_soft):
    rng = np.random.default_rng(1)
    rows = scores(shape, np.float32)
    labels = rng.integers(0, shape[1], shape[0])
    targets = rng.dirichlet(np.ones(shape[1]), shape[0]) if is_soft else labels
    options = LossOptions(sample_weight=rng.uniform(0, 2, shape[0]), label_smoothing=0.1, reduction="none")
    alpha = ll.MAPPINGS["entmax"].replace(alpha=rng.uniform(1, 2, shape[0]))
    for mapping in (ll.MAPPINGS["softmax"], alpha):
        expected = NUMPY.loss(mapping, rows, targets, is_soft, options, True)
        columns = np.asfortranarray(rows)
        value, gradient = NUMPY.loss(mapping, columns, targets, is_soft, options, True, columns)
        assert gradient is columns
        np.testing.assert_array_equal(value, expected[0])
        np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_share_no_strip(threads):
    rows, before = scores((500, 300), np.float32), ll.show_config()["threads"]
    ll.set_num_threads(threads)
    try:
        np.testing.assert_array_equal(ll.softmax(np.ascontiguousarray(rows.T), axis=0).T, ll.softmax(rows))
    finally:
        ll.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 16), (17, 31), (64, 200), (100, 70)], ids=str)
@pytest.mark.parametrize("offset", [0, 1, 16])
def test_slabs_reach_their_places_and_nothing_else(shape, dtype, offset):
    columns = scores(shape, dtype)
    rows = np.full((shape[1], offset + shape[0] + 3), -1, dtype)
    kernels.place_columns(columns, rows[:, offset : offset + shape[0]])
    np.testing.assert_array_equal(rows[:, offset : offset + shape[0]], columns.T)
    assert (rows[:, :offset] == -1).all()
    assert (rows[:, offset + shape[0] :] == -1).all()


@pytest.mark.parametrize(
    "rows",
    [
        np.ones((3, 2), np.float32),
        np.ones((3, 2), np.float64).T,
        np.ones((2, 6), np.float32)[:, ::2],
        np.ones((3, 2), np.float32).T,
        np.lib.stride_tricks.as_strided(np.ones(8, np.float32), (2, 3), (4, 4)),
    ],
    ids=["shape", "dtype", "strided", "columns", "overlap"],
)
def test_slabs_refuse_places_that_do_not_fit(rows):
    with pytest.raises(TypeError):
        kernels.place_columns(np.ones((3, 2), np.float32), rows)
