"""Non-temporal stores give the bits of ordinary ones, and write every result and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.checks.rows import into_domain

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
DTYPES = (np.float32, np.float64)
#: Tiles, single rows, and long rows whose results wait for the next row's terms; ends inside and at the end of a vector.
CLASSES = (57, 64, 100, 130, 288, 289, 300, 511, 512, 513, 528, 575, 577, 1000, 1024, 1090, 8192, 8193, 9001, 20000)
GUARD = 64


@pytest.fixture
def nontemporal() -> Iterator[None]:
    """Use non-temporal stores for every result, however small, if a kernel can."""
    before = kernels.set_nontemporal_limit(0)
    yield
    kernels.set_nontemporal_limit(before)


def scores(classes: int, dtype: type, rows: int = 37) -> np.ndarray:
    """Rows with special values, which take another path, at the ends and next to each other."""
    x = np.random.default_rng(classes).normal(size=(rows, classes)) * 4
    x[0, classes // 2] = np.inf
    x[3] = -np.inf
    x[4, :2] = np.inf
    x[9, 1] = np.nan
    x[11, 0] = 40.0
    x[12] += 3000.0
    x[13, ::2] = -np.inf
    x[-1, -1] = np.inf
    return x.astype(dtype)


def guarded(x: np.ndarray, displacement: int) -> tuple[np.ndarray, np.ndarray]:
    """Memory for results that begins `displacement` numbers behind a cache line, and the memory around it."""
    memory = np.full(x.size + 2 * GUARD + 16, 7, x.dtype)
    behind = -(memory.ctypes.data // x.itemsize) % 16
    begin = GUARD // 2 + behind + displacement
    return memory[begin : begin + x.size].reshape(x.shape), memory


def bits(results: np.ndarray) -> np.ndarray:
    """The bits of each number; every NaN counts as the same."""
    one_nan = np.where(np.isnan(results), results.dtype.type(np.nan), results)
    return one_nan.view(np.uint32 if results.dtype == np.float32 else np.uint64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("displacement", [0, 1, 4, 15])
def test_rows_have_the_bits_they_have_alone(classes, dtype, displacement, nontemporal):
    x = scores(classes, dtype)
    for function in (ll.softmax, ll.log_softmax):
        out, memory = guarded(x, displacement)
        function(x, out=out)
        kernels.set_nontemporal_limit(2**62)
        alone = np.stack([function(row) for row in x])
        kernels.set_nontemporal_limit(0)
        np.testing.assert_array_equal(bits(out), bits(alone))
        out[...] = 7
        assert (memory == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("options", ["none", "ignored", "weights", "smoothing", "z_loss", "tiny"])
def test_gradients_have_the_bits_they_have_alone(classes, dtype, options, nontemporal):
    x, rng = scores(classes, dtype), np.random.default_rng(1)
    labels = rng.integers(0, classes, len(x))
    labels[5:8] = 0, classes - 1, classes // 2
    weights = rng.uniform(0.5, 2, len(x))
    if options == "ignored":
        weights[::3] = 0.0
    if options == "tiny":
        # So small that some rows need products in double.
        weights[10:20] *= 2.0**-110
    chosen = {
        "weights": {"weight": rng.uniform(0.5, 2, classes)},
        "smoothing": {"label_smoothing": 0.1},
        "z_loss": {"z_loss": 0.1},
    }.get(options, {})
    out, memory = guarded(x, int(rng.integers(16)))
    losses, _ = ll.loss_and_grad(x, labels, sample_weight=weights, reduction="none", out=out, **chosen)
    kernels.set_nontemporal_limit(2**62)
    for i in range(len(x)):
        some = slice(i, i + 1)
        loss, gradient = ll.loss_and_grad(
            x[some], labels[some], sample_weight=weights[some], reduction="none", **chosen
        )
        np.testing.assert_array_equal(losses[some], loss)
        np.testing.assert_array_equal(bits(out[some]), bits(gradient))
    out[...] = 7
    assert (memory == 7).all()


@pytest.mark.parametrize("classes", [100, 530, 1041])
@pytest.mark.parametrize("displacements", [(0, 0), (0, 5), (7, 0), (3, 12), (15, 1)])
def test_any_alignment_of_labels_and_scores(classes, displacements, nontemporal):
    x, _ = guarded(np.empty((classes, classes), np.float32), displacements[0])
    x[...] = np.random.default_rng(classes).normal(size=x.shape) * 4
    labels, out = np.arange(classes), guarded(x, displacements[1])[0]
    losses, _ = ll.loss_and_grad(x, labels, reduction="none", out=out)
    kernels.set_nontemporal_limit(2**62)
    expected_losses, expected = ll.loss_and_grad(x.copy(), labels, reduction="none")
    np.testing.assert_array_equal(losses, expected_losses)
    np.testing.assert_array_equal(bits(out), bits(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [65, 72, 100, 1000, 9001])
@pytest.mark.parametrize("name", [name for name in ll.MAPPINGS if name != "softmax"])
def test_every_mapping_has_the_bits_it_has_alone(name, classes, dtype, nontemporal):
    x, rng = scores(classes, dtype), np.random.default_rng(2)
    x[14:] = into_domain(ll.MAPPINGS[name], x[14:])
    labels = rng.integers(0, classes, len(x))
    labels[5:8] = 0, classes - 1, classes // 2
    labels[20] = -100
    weights = rng.uniform(0.5, 2, len(x))

    def results(some: slice, out: np.ndarray | None) -> Iterator[np.ndarray]:
        rows = x[some]
        yield ll.probabilities(rows, mapping=name, on_domain="nan", out=out)
        yield ll.log_probabilities(rows, mapping=name, on_domain="nan", out=out)
        options = {"mapping": name, "on_domain": "nan", "reduction": "none", "sample_weight": weights[some]}
        losses, gradient = ll.loss_and_grad(rows, labels[some], out=out, **options)
        yield losses
        yield gradient

    out, memory = guarded(x, int(rng.integers(16)))
    together = [np.array(result) for result in results(slice(None), out)]
    kernels.set_nontemporal_limit(2**62)
    in_place = [np.array(result) for result in results(slice(None), np.empty_like(x))]
    alone = zip(*([np.array(r) for r in results(slice(i, i + 1), None)] for i in range(len(x))), strict=True)
    for got, kept, rows in zip(together, in_place, alone, strict=True):
        np.testing.assert_array_equal(bits(got), bits(np.concatenate(rows)))
        np.testing.assert_array_equal(bits(kept), bits(got))
    out[...] = 7
    assert (memory == 7).all()
    # In place.
    for function in (ll.probabilities, ll.log_probabilities):
        place = x.copy()
        function(place, mapping=name, on_domain="nan", out=place)
        np.testing.assert_array_equal(bits(place), bits(function(x, mapping=name, on_domain="nan")))
    place = x.copy()
    ll.loss_and_grad(place, labels, mapping=name, on_domain="nan", reduction="none", sample_weight=weights, out=place)
    np.testing.assert_array_equal(bits(place), bits(together[-1]))


@pytest.mark.parametrize("classes", [100, 1001, 9001])
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_share_a_cache_line(classes, threads, nontemporal):
    x = np.random.default_rng(0).normal(size=(3_000_000 // classes, classes)).astype(np.float32)
    out, memory = guarded(x, 3)
    before = ll.show_config()["threads"]
    ll.set_num_threads(threads)
    try:
        ll.softmax(x, out=out)
    finally:
        ll.set_num_threads(before)
    kernels.set_nontemporal_limit(2**62)
    np.testing.assert_array_equal(bits(out), bits(ll.softmax(x)))
    out[...] = 7
    assert (memory == 7).all()


def test_large_results_use_nontemporal_stores_by_themselves():
    x = np.random.default_rng(0).normal(size=(22_000, 300)).astype(np.float32)
    assert x.nbytes > 24 << 20
    p = ll.softmax(x)
    np.testing.assert_array_equal(bits(p[::500]), bits(ll.softmax(x[::500])))
    np.testing.assert_array_equal(bits(ll.softmax(x, out=x)), bits(p))
