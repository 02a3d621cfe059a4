"""The native kernels: served where they say so, equal to the formulas, exact on every instruction set, safe under threads and forks."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from running import from_many_threads, run_python

import lastlayer as ll
from lastlayer.backends import NUMPY, PORTABLE, instruction_set
from lastlayer.checks.measure import ulp_error
from lastlayer.dispatch import serving
from lastlayer.losses import LossOptions

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
DTYPES = (np.float32, np.float64)
CASES = [(name, dtype) for name in kernels.MAPPINGS for dtype in DTYPES]
QUANTITIES = ("probabilities", "log_probabilities", "log_partition")


def scores_for(name: str, rng: np.random.Generator, rows: int, classes: int, dtype: Any) -> np.ndarray:
    x = rng.normal(size=(rows, classes)) * 10 ** rng.uniform(-1, 2) + rng.choice([0.0, -40.0, 3e3])
    return (np.abs(x) if ll.MAPPINGS[name].domain.is_valid is not None else x).astype(dtype)


def with_special_values(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows with NaN and infinities, and rows of ties."""
    for i in range(0, len(x), 3):
        x[i, rng.integers(x.shape[1])] = rng.choice([np.nan, np.inf, -np.inf, 0.0, x[i].max()])
    x[-1] = rng.choice([1.0, -np.inf])
    return x


def portable(name: str, x: np.ndarray, quantity: str) -> np.ndarray:
    return PORTABLE.evaluate(ll.MAPPINGS[name], x, quantity)


def assert_near(got: Any, expected: Any, ulps: float, scale: Any = None) -> None:
    """Within `ulps` ULP of the expected value, or of `scale` if it is larger; infinities and NaN equal."""
    got, expected = np.asarray(got), np.asarray(expected)
    special = ~np.isfinite(expected)
    np.testing.assert_array_equal(got[special], expected[special])
    size = np.abs(expected) if scale is None else np.maximum(np.abs(expected), scale)
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(np.float64) - expected) / np.spacing(size.astype(got.dtype))
    assert (error[~special] <= ulps).all(), (float(error[~special].max()), got.dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16])
def test_kernels_serve_every_built_in_mapping_and_nothing_else(dtype):
    x = np.zeros((2, 3), dtype)
    assert set(kernels.MAPPINGS) <= set(ll.MAPPINGS)
    for mapping in map(ll.MAPPINGS.get, kernels.MAPPINGS):
        for quantity in ("probabilities", "loss"):
            assert serving(mapping, x, quantity).startswith("native"), quantity
    softmax = ll.MAPPINGS["softmax"]
    impostor = type(softmax)(**{**vars(softmax), "evaluate": ll.MAPPINGS["hardmax"].evaluate})
    assert serving(impostor, x) == "portable formulas"
    assert serving(softmax, x.astype(np.longdouble)) == "portable formulas"
    listed = ll.show_config()
    assert listed["native_kernels"] == instruction_set()
    assert [entry["name"] for entry in listed["backends"]][-1] == "portable"


def sizes(name: str, quantity: str, x: np.ndarray) -> Any:
    """The scale of the errors, if it is not the result itself."""
    if quantity == "log_partition":
        size = np.abs(x).max(axis=-1, initial=0)
        return np.where(np.isfinite(size), size, 1)
    # The regularized family's bound is in units of the largest probability.
    return None if ll.MAPPINGS[name].family == "normalized" else 1.0


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_random_shapes_agree_with_the_formulas(name, dtype):
    rng = np.random.default_rng(8)
    mapping = ll.MAPPINGS[name]
    for _ in range(80):
        rows, classes = (
            int(rng.integers(0, 9)),
            int(rng.choice([1, 2, 3, 6, 7, 8, 9, 15, 16, 17, 31, 33, 56, 57, 63, 65, 127, 128, 129, 300, 512, 1000])),
        )
        x = scores_for(name, rng, rows, classes, dtype)
        if rows and rng.random() < 0.5:
            x = with_special_values(x, rng)
            x = np.abs(x) if mapping.domain.is_valid is not None else x
        for quantity in QUANTITIES:
            got = NUMPY.evaluate(mapping, x, quantity)
            expected = portable(name, x, quantity)
            assert got.dtype == dtype
            if quantity == "log_probabilities" and mapping.family == "regularized":
                # An error of the probability is larger in the logarithm of a small one.
                is_small = portable(name, x, "probabilities") < 1e-3
                got, expected = (
                    np.where(is_small, 0.0, got).astype(dtype),
                    np.where(is_small, 0.0, expected).astype(dtype),
                )
            assert_near(got, expected, 8 if mapping.family == "regularized" else 4, sizes(name, quantity, x))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_losses_agree_with_the_formulas(name, dtype):
    rng = np.random.default_rng(9)
    mapping = ll.MAPPINGS[name]
    for trial in range(90):
        rows, classes = int(rng.integers(0, 9)), int(rng.choice([1, 2, 3, 9, 16, 17, 40, 65, 129, 200]))
        x = scores_for(name, rng, rows, classes, dtype)
        is_soft = trial % 3 == 2
        targets: Any = rng.integers(0, classes, size=rows)
        if is_soft:
            targets = rng.dirichlet(np.ones(classes), size=rows).astype(dtype if trial % 2 else np.float64)
        else:
            targets[rng.random(rows) < 0.2] = -100
        plain = trial % 3 == 0
        options: dict[str, Any] = {"reduction": str(rng.choice(["mean", "sum", "none", "parts"]))}
        if not plain:
            options |= {
                "weight": rng.uniform(0, 2, size=classes) * (rng.random(classes) < 0.9),
                "sample_weight": rng.uniform(0, 2, size=rows) * (rng.random(rows) < 0.8),
                "label_smoothing": float(rng.choice([0.0, 0.1, 1.0])),
                "z_loss": float(rng.choice([0.0, 1e-3])),
                "temperature": float(rng.choice([1.0, 0.7])),
                "softcap": [None, 5.0][int(rng.integers(2))],
            }
        got, gradient = ll.loss_and_grad(x, targets, mapping=name, **options)
        alone = ll.loss(x, targets, mapping=name, **options)
        record = LossOptions(**options)
        expected, slopes = PORTABLE.loss(mapping, x, targets, is_soft, record, True)
        # A Fenchel–Young loss is exact for scores moved by their rounding; sums of losses collect that of every row.
        size = None if mapping.family == "normalized" else max(1.0, float(np.abs(x).max(initial=0.0)) * max(rows, 1))
        for a, b, c in zip(*(v if isinstance(v, tuple) else (v,) for v in (got, alone, expected)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert_near(a, c, 4 if plain else 64, size)
        if plain and mapping.family == "normalized":
            assert_near(gradient, slopes, 5)
        else:
            # Targets are subtracted from probabilities: the bound is in units of the larger of the two.
            # Where a softcap has flattened the scores, that is before its slope makes both small; its own rounding moves them.
            slope = np.maximum(record.activation.pull_back(x.astype(np.float64), np.ones(x.shape), np), 1e-30)
            pulled, expected = gradient / slope, slopes / slope
            size = max(np.abs(expected).max(initial=0.0), 2.0)
            assert_near(pulled.astype(dtype), expected, 64, size)


def test_unknown_instruction_set_is_refused():
    result = run_python("import lastlayer", is_checked=False, LASTLAYER_ISA="mmx")
    assert result.returncode
    assert "LASTLAYER_ISA is 'mmx'" in result.stderr


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 50, 400, 1000])
def test_threads_change_no_bits(dtype, classes):
    x = np.random.default_rng(1).normal(size=(300_000 // classes, classes)).astype(dtype)
    labels = np.arange(len(x)) % classes
    before = ll.show_config()["threads"]
    try:
        results = []
        for threads in (1, 2, 3):
            ll.set_num_threads(threads)
            assert ll.show_config()["threads"] == threads
            results.append((ll.softmax(x), *ll.loss_and_grad(x, labels)))
    finally:
        ll.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    # Nor do a row's position and the rows around it.
    np.testing.assert_array_equal(ll.softmax(x[7:8]), results[0][0][7:8])
    np.testing.assert_array_equal(ll.softmax(x[5:]), results[0][0][5:])


@pytest.mark.parametrize("rows", [1, 4095, 4096, 4097, 12_289])
def test_sums_over_rows_keep_what_each_addition_loses(rows):
    random = np.random.default_rng(rows)
    x, labels = random.normal(size=(rows, 3)) * 100, random.integers(0, 3, size=rows)
    weights = random.random(rows)
    each = ll.loss(x, labels, sample_weight=weights, reduction="none")
    total, denominator = ll.loss(x, labels, sample_weight=weights, reduction="parts")
    np.testing.assert_array_max_ulp(total, np.float64(math.fsum(each)), 1)
    np.testing.assert_array_max_ulp(denominator, np.float64(math.fsum(weights)), 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 3, 5, 10, 40, 100, 400])
def test_a_row_does_not_see_its_neighbours(dtype, classes):
    """Not their sizes, weights or special values, even if its gradient is far smaller than theirs."""
    rng = np.random.default_rng(classes)
    x = rng.normal(size=(40, classes)).astype(dtype) * 3
    x[5, 0], x[6], x[7] = np.inf, -np.inf, np.nan
    x[9:12] += 1000
    labels, weights = rng.integers(0, classes, 40), np.ones(40)
    labels[11] = -100
    weights[13], weights[21:23] = 0.0, 1e-12
    value, gradient = ll.loss_and_grad(x, labels, sample_weight=weights, reduction="none")
    for i in range(len(x)):
        alone = ll.loss_and_grad(x[i : i + 1], labels[i : i + 1], sample_weight=weights[i : i + 1], reduction="none")
        np.testing.assert_array_equal(value[i : i + 1], alone[0])
        np.testing.assert_array_equal(gradient[i : i + 1], alone[1])
        np.testing.assert_array_equal(ll.softmax(x)[i], ll.softmax(x[i]))
        np.testing.assert_array_equal(ll.log_softmax(x)[i], ll.log_softmax(x[i]))


def test_many_python_threads_at_once():
    x = np.random.default_rng(2).normal(size=(2000, 200)).astype(np.float32)
    expected = ll.softmax(x)
    assert from_many_threads(lambda: np.array_equal(ll.softmax(x), expected))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system; run on one that has")
def test_forked_child_computes():
    code = (
        "import os, numpy as np, lastlayer as ll\n"
        "ll.set_num_threads(2)\n"
        "x = np.random.default_rng(0).normal(size=(3000, 100))\n"
        "p = ll.softmax(x)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(ll.softmax(x), p) else 1)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "print(code, np.array_equal(ll.softmax(x), p))"
    )
    assert run_python(code).stdout.split() == ["0", "True"]


def test_thread_settings_are_respected():
    code = "import lastlayer as ll; print(ll.show_config()['threads'])"
    assert run_python(code, OMP_NUM_THREADS="3").stdout.split() == ["3"]
    alone = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + code
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if hasattr(os, "sched_setaffinity"):
        result = subprocess.run(
            [sys.executable, "-c", alone], capture_output=True, text=True, check=True, env=environment
        )
        assert result.stdout.split() == ["1"]


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two processors; run where there are such",
)
def test_threads_leave_the_callers_processor_to_it():
    """Also after it moves; but a thread that somebody else has bound to one processor stays there."""
    code = (
        "import os, numpy as np, lastlayer as ll\n"
        "ll.set_num_threads(2)\n"
        "given = os.sched_getaffinity(0)\n"
        "x = np.zeros((3000, 100))\n"
        "before = set(os.listdir('/proc/self/task'))\n"
        "ll.softmax(x)\n"
        "(worker,) = [int(task) for task in set(os.listdir('/proc/self/task')) - before]\n"
        "for place in [*given, *given]:\n"
        "    os.sched_setaffinity(0, {place})\n"
        "    ll.softmax(x)\n"
        "    assert os.sched_getaffinity(worker) == given - {place}\n"
        "bound = place\n"
        "os.sched_setaffinity(worker, {bound})\n"
        "for place in given:\n"
        "    os.sched_setaffinity(0, {place})\n"
        "    ll.softmax(x)\n"
        "    assert os.sched_getaffinity(worker) == {bound}\n"
    )
    run_python(code)


F, D, LABEL = np.float32, np.float64, np.int64
REFUSED = {
    "half scores": (np.ones((2, 3), np.float16), np.ones((2, 3), np.float16), 0),
    "other dtype of out": (np.ones((2, 3), F), np.ones((2, 3), D), 0),
    "integer scores": (np.ones((2, 3), LABEL), np.ones((2, 3), LABEL), 0),
    "no axis": (np.ones((), F), np.ones((), F), 0),
    "another number of axes": (np.ones((1, 2, 3), F), np.ones((2, 3), F), 0),
    "fewer rows in out": (np.ones((2, 3), F), np.ones((1, 3), F), 0),
    "fewer classes in out": (np.ones((2, 3), F), np.ones((2, 2), F), 0),
    "strided scores": (np.ones((2, 6), F)[:, ::2], np.ones((2, 3), F), 0),
    "transposed out": (np.ones((2, 3), F), np.ones((3, 2), F).T, 0),
    "no classes": (np.ones((2, 0), F), np.ones((2, 0), F), 0),
    "unknown quantity": (np.ones((2, 3), F), np.ones((2, 3), F), 7),
    "whole out for a log-partition": (np.ones((2, 3), F), np.ones((2, 3), F), 2),
    "a list": ([[1.0, 2.0]], np.ones((1, 2), D), 0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_kernels_refuse_what_they_do_not_support(case):
    scores, out, quantity = REFUSED[case]
    with pytest.raises(TypeError):
        kernels.evaluate(scores, out, quantity, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 10, 40, 57, 100, 300, 1000])
def test_label_smoothing_without_class_weights_agrees_with_the_formulas(classes, dtype):
    """The softmax loops compute it; with class weights the general blocks do."""
    rng = np.random.default_rng(classes)
    x, labels = (rng.normal(size=(37, classes)) * 4).astype(dtype), rng.integers(0, classes, size=37)
    for z_loss in (0.0, 1e-2):
        options = {"label_smoothing": 0.1, "z_loss": z_loss, "reduction": "none"}
        got, gradient = ll.loss_and_grad(x, labels, **options)
        expected, slopes = PORTABLE.loss(ll.MAPPINGS["softmax"], x, labels, False, LossOptions(**options), True)
        assert_near(got, expected, 4, None)
        assert_near(gradient, slopes, 64, max(np.abs(slopes).max(), 2.0))


@pytest.mark.parametrize("mapping", [-1, 99])
def test_kernels_refuse_an_unknown_mapping(mapping):
    with pytest.raises(TypeError):
        kernels.evaluate(np.ones((2, 3), F), np.ones((2, 3), F), 0, mapping)


def test_kernels_refuse_a_read_only_out():
    out = np.ones((2, 3), F)
    out.flags.writeable = False
    with pytest.raises(TypeError):
        kernels.evaluate(np.ones((2, 3), F), out, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.zeros(3, LABEL)},
        {"labels": np.zeros(2, np.int32)},
        {"losses": np.zeros(1)},
        {"gradient": np.zeros((2, 2), F)},
        {"gradient": np.zeros((2, 3), D)},
        {"class_weight": np.ones(2)},
        {"row_weight": np.ones(3)},
        {"soft": np.ones((2, 3))},
        {"labels": None},
        {"labels": None, "soft": np.ones((2, 2))},
        {"labels": None, "soft32": np.ones((3, 3), np.float32)},
        {"temperature": 0.0},
        {"softcap": -1.0},
        {"mapping": 10, "parameter": 0.5},
        {"mapping": 3, "parameter": 3.0},
        {"row_parameters": np.ones(2)},
    ],
)
def test_loss_kernels_refuse_buffers_that_do_not_fit(change):
    given = {
        "scores": np.ones((2, 3), F), "labels": np.zeros(2, LABEL), "soft": None, "soft32": None, "losses": np.zeros(2), "gradient": np.zeros((2, 3), F),
        "class_weight": None, "row_weight": None, "ignore_index": -100, "label_smoothing": 0.0, "z_loss": 0.0,
        "temperature": 1.0, "softcap": 0.0, "gradient_scale": None, "mapping": 0,
    }  # fmt: skip
    kernels.loss(**given)
    with pytest.raises(TypeError):
        kernels.loss(**{**given, **change})


def test_labels_out_of_range_never_read_out_of_bounds():
    losses, gradient = np.zeros(3), np.zeros((3, 3), F)
    kernels.loss(
        scores=np.ones((3, 3), F), labels=np.array([0, 10**12, -(10**12)]), soft=None, soft32=None, losses=losses,
        gradient=gradient, class_weight=np.ones(3), row_weight=None, ignore_index=-100, label_smoothing=0.1, z_loss=0.0,
        temperature=1.0, softcap=0.0, gradient_scale=1.0, mapping=0,
    )  # fmt: skip
    np.testing.assert_allclose(losses[0], np.log(3.0), rtol=1e-15)
    assert np.isnan(losses[1:]).all()
    # p - y of three equal scores and a smoothed label.
    np.testing.assert_allclose(gradient[0], [1 / 3 - (0.9 + 0.1 / 3), 1 / 3 - 0.1 / 3, 1 / 3 - 0.1 / 3], rtol=1e-6)
    assert np.isnan(gradient[1:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [5, 40, 300])
def test_out_may_overlap_the_scores(dtype, classes):
    store = np.random.default_rng(3).normal(size=(6, classes)).astype(dtype)
    expected = ll.softmax(store[:5])
    moved = store.copy()
    ll.softmax(moved[:5], out=moved[1:])
    np.testing.assert_array_equal(moved[1:], expected)
    same = store[:5].copy()
    assert ll.softmax(same, out=same) is same
    np.testing.assert_array_equal(same, expected)


def test_a_confident_row_of_many_classes():
    x = np.full((1, 50_000), -20.0, np.float32)
    x[0, 31_234] = 0.0
    truth = np.log1p(49_999 * np.exp(np.float64(-20.0)))
    assert ulp_error(ll.loss(x, [31_234]), truth, np.dtype(np.float32)) <= 1


@pytest.mark.parametrize("classes", [2, 3, 8, 9, 10, 56, 57, 100, 512, 513, 1000, 8192, 8193, 20_000, 70_001])
def test_the_others_keep_their_digits_whatever_their_share(classes):
    """A sum of equal float32 terms loses the most digits; the error stays below one of the other terms."""
    rng = np.random.default_rng(classes)
    shares = 2.0 ** -rng.uniform(-3, 30, size=600 if classes < 10_000 else 60)
    x = np.zeros((len(shares), classes)) + rng.uniform(-30, 30, size=(len(shares), 1))
    x[:, classes // 2] += np.log((classes - 1) / shares)
    x = x.astype(np.float32)
    differences = x[:, classes // 2].astype(np.longdouble) - x[:, 0]
    truth = np.log1p((classes - 1) * np.exp(-differences))
    losses = np.empty(len(x))
    labels = np.full(len(x), classes // 2)
    kernels.loss(x, labels, None, None, losses, None, None, None, -100, 0.0, 0.0, 1.0, 0.0, None, 0)
    assert float(np.max(np.abs(losses - truth) / truth)) <= 1.4 * 2.0**-24


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: np.sort(x),
        lambda x: -np.sort(-x),
        lambda x: x + 700,
        lambda x: np.where(np.arange(x.size) < 20_000, -np.inf, x),
        lambda x: np.where(np.arange(x.size) < 20_000, x, -np.inf),
        lambda x: np.where(np.arange(x.size) == 100, np.nan, np.where(np.arange(x.size) < 20_000, -np.inf, x)),
        lambda x: np.where(np.arange(x.size) == 50_000, 90, x),
        lambda x: np.where(np.arange(x.size) == 50_000, np.nan, x),
        lambda x: np.where(np.arange(x.size) == 50_000, np.inf, x),
    ],
    ids=[
        "random",
        "ascending",
        "descending",
        "far",
        "masked",
        "masked_end",
        "masked_nan",
        "confident",
        "nan",
        "infinite",
    ],
)
def test_a_row_of_many_chunks_has_one_sum(change):
    """If only the sum is needed, a long row is summed in chunks, each in units of its own maximum."""
    x = change(8 * np.random.default_rng(3).standard_normal(70_001)).astype(np.float32)
    label = 69_999
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.longdouble)
        largest = wide.max()
        others = np.exp(np.delete(wide, wide.argmax()) - largest).sum()
        log_sum = np.log1p(others)
        loss = log_sum + (largest - wide[label])
    for found, truth in ((ll.logsumexp(x[None]), largest + log_sum), (ll.loss(x[None], [label]), loss)):
        if np.isinf(largest):
            assert found == np.inf
        else:
            np.testing.assert_allclose(np.float64(found), np.float64([truth]).reshape(found.shape), rtol=2.0**-23)


def test_rows_of_many_chunks_are_independent():
    """The maximum of a row's first chunk is found while the row before is summed, whatever that row is."""
    x = 8 * np.random.default_rng(4).standard_normal((12, 9_000)).astype(np.float32)
    x[2, 7_000], x[3], x[5, 10], x[6] = np.inf, -np.inf, np.nan, x[6] + 2_000
    x[8, :5_000], x[10] = -np.inf, 0
    labels = np.arange(12) * 700
    labels[[0, 4, 11]] = -100
    before = kernels.num_threads()
    ll.set_num_threads(1)
    try:
        losses, sums = ll.loss(x, labels, reduction="none"), ll.logsumexp(x)
    finally:
        ll.set_num_threads(before)
    for i, row in enumerate(x):
        np.testing.assert_array_equal(losses[i], ll.loss(row[None], labels[i : i + 1], reduction="none")[0])
        np.testing.assert_array_equal(sums[i], ll.logsumexp(row[None])[0])
    assert losses[0] == losses[4] == losses[11] == 0
    assert np.isnan(losses[[3, 5]]).all()
    assert np.isfinite(losses[[1, 6, 7, 8, 9, 10]]).all()
