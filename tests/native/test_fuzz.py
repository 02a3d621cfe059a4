"""Random shapes, layouts, dtypes, options and special values: the kernels against the formulas on the same scores in float64.

LASTLAYER_FUZZ_SECONDS=600 runs for so long, over seeds that follow those of the usual run; a failure prints its own.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from drawing import ALPHA_A_ROW, an_out, as_input, draw_options, draw_scores, draw_targets, laid_out, record_for
from expectation import Truth, check_loss

import lastlayer as ll
from lastlayer.backends import NUMPY
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
DTYPES = tuple(np.dtype(name) for name in ("float16", "float32", "float64"))
QUANTITIES = ("probabilities", "log_probabilities", "log_partition")
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "entmax": (1.0, 1.2, 1.5, 2.0, 3.0, ALPHA_A_ROW),
    "taylor": (2, 4, 6),
}
CASES = [(name, value) for name in MAPPINGS for value in PARAMETERS.get(name, (None,))]
TRIALS = int(os.environ.get("LASTLAYER_FUZZ_TRIALS", "6"))


def seeds(first: int) -> Iterator[int]:
    """A few seeds, or as many as an equal share of LASTLAYER_FUZZ_SECONDS allows."""
    until = time.monotonic() + float(os.environ.get("LASTLAYER_FUZZ_SECONDS", "0")) / (2 * len(CASES))
    for trial in itertools.count():
        if trial >= TRIALS and time.monotonic() > until:
            return
        yield first + trial


@pytest.fixture(params=[*CASES, ("softmax", "streamed")], ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    """A mapping and its parameter. Softmax also writes small results by non-temporal stores."""
    name, value = request.param
    if value != "streamed":
        yield name, value
        return
    before = kernels.set_nontemporal_limit(0)
    yield name, None
    kernels.set_nontemporal_limit(before)


def test_probabilities_of_anything(case: tuple[str, Any]) -> None:
    for seed in seeds(1000):
        rng = np.random.default_rng(seed)
        for dtype, quantity in itertools.product(DTYPES, QUANTITIES):
            try:
                evaluate_anything(rng, *case, dtype, quantity)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {dtype}: {error}") from error


def evaluate_anything(rng: np.random.Generator, name: str, value: Any, dtype: np.dtype, quantity: str) -> None:
    values, axis = draw_scores(rng, dtype, name)
    scores, memory = as_input(rng, values)
    last = np.moveaxis(np.array(scores, dtype=dtype), axis, -1)
    record = record_for(rng, name, value, last.shape[:-1])
    before = memory.tobytes()
    if quantity == "log_partition":
        got = NUMPY.evaluate(
            record, np.moveaxis(scores.astype(dtype.newbyteorder("="), copy=False), axis, -1), quantity
        )
        assert memory.tobytes() == before, "the scores were written"
    else:
        out, check_around = an_out(rng, scores)
        function = getattr(ll, quantity)
        got = function(scores, mapping=record if value is not None else name, axis=axis, out=out, on_domain="nan")
        assert out is None or got is out
        assert out is scores or memory.tobytes() == before, "the scores were written"
        check_around()
        got = np.moveaxis(got, axis, -1)
    assert got.dtype == dtype
    Truth(record, last.astype(np.float64), dtype).check(got, quantity, dtype)


def test_losses_of_anything(case: tuple[str, Any]) -> None:
    for seed in seeds(2000):
        rng = np.random.default_rng(seed)
        for dtype in (*DTYPES, *DTYPES):
            try:
                lose_anything(rng, *case, dtype)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {dtype}: {error}") from error


def lose_anything(rng: np.random.Generator, name: str, value: Any, dtype: np.dtype) -> None:
    values, axis = draw_scores(rng, dtype, name)
    scores, memory = as_input(rng, values)
    last = np.moveaxis(np.array(scores, dtype=dtype), axis, -1)
    rows, classes = last.shape[:-1], last.shape[-1]
    record = record_for(rng, name, value, rows)
    given, is_soft, ignored = draw_targets(rng, rows, classes, axis)
    targets, targets_memory = laid_out(rng, given)
    exact_targets = np.array(targets, dtype=given.dtype)
    options = draw_options(rng, rows, classes, bool(rng.random() < 0.3))
    before = memory.tobytes() + targets_memory.tobytes()
    out, check_around = an_out(rng, scores)
    got, gradient = ll.loss_and_grad(
        scores, targets, mapping=record if value is not None else name, axis=axis, out=out, on_domain="nan",
        ignore_index=ignored, **options,
    )  # fmt: skip
    assert out is None or gradient is out
    assert out is scores or memory.tobytes() + targets_memory.tobytes() == before, "scores or targets were written"
    check_around()
    assert gradient.dtype == dtype
    y = np.moveaxis(exact_targets, axis, -1) if is_soft else exact_targets
    wide = last.astype(np.float64)
    alone = ll.loss(last, y, mapping=record, on_domain="nan", ignore_index=ignored, **options)
    pairs = [v if isinstance(v, tuple) else (v,) for v in (got, alone)]
    for a, b in zip(*pairs, strict=True):
        np.testing.assert_array_equal(a, b, err_msg="the loss alone differs from the loss computed with its gradient")
    asked = LossOptions(ignore_index=ignored, **options)
    check_loss(record, wide, y, is_soft, asked, pairs[0], np.moveaxis(gradient, axis, -1), dtype)
