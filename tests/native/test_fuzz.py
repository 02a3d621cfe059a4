"""Random shapes, layouts, dtypes, options and special values: the kernels against the formulas on the same scores in float64.

LASTLAYER_FUZZ_SECONDS=600 runs for so long, over seeds that follow those of the usual run; a failure prints its own.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest

import lastlayer as ll
from lastlayer.activation import Activation
from lastlayer.dispatch import NATIVE, PORTABLE
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS, ProbabilityMapping

DTYPES = tuple(np.dtype(name) for name in ("float16", "float32", "float64"))
#: Around the widths of vectors, of blocks and of the layouts' own limits.
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 130, 136, 255, 256, 257, 1000)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, 1e-40, 1e-7, -1.0, 1e30, 1e38, -1e38)
QUANTITIES = ("probabilities", "log_probabilities", "log_partition")
ALPHA_A_ROW = "a row"
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "entmax": (1.0, 1.2, 1.5, 2.0, 3.0, ALPHA_A_ROW),
    "taylor": (2, 4, 6),
}
CASES = [(name, value) for name in MAPPINGS for value in PARAMETERS.get(name, (None,))]
#: Rounding of a result, in ULP, and of what goes into it, relative: half types and float32 are computed wider.
ROUNDING = {"float16": 0.51, "float32": 1.0, "float64": 8.0}
NOISE = {"float16": 2.0**-36, "float32": 2.0**-36, "float64": 2.0**-48}
#: Of a Z near zero, whose total is a sum near one: absolute (docs/accuracy.md).
FLOOR_OF_Z = {"float16": 2.0**-37, "float32": 2.0**-37, "float64": 2.0**-53}
TRIALS = int(os.environ.get("LASTLAYER_FUZZ_TRIALS", "6"))


def seeds(first: int) -> Iterator[int]:
    """A few seeds, or as many as an equal share of LASTLAYER_FUZZ_SECONDS allows."""
    until = time.monotonic() + float(os.environ.get("LASTLAYER_FUZZ_SECONDS", "0")) / (2 * len(CASES))
    for trial in itertools.count():
        if trial >= TRIALS and time.monotonic() > until:
            return
        yield first + trial


def draw_scores(rng: np.random.Generator, dtype: np.dtype, name: str) -> tuple[np.ndarray, int]:
    """Scores of one to three axes and where their classes stand; sizes of 1e-3 to 1e30, ties, offsets, special values."""
    classes = int(rng.choice(WIDTHS)) if rng.random() < 0.8 else int(rng.integers(1, 2001))
    rows = int(min(rng.integers(0, 41), 1 + 6000 // classes))
    shape = [(), (rows,), (rows // 3, 3)][int(rng.integers(3))]
    axis = int(rng.integers(len(shape) + 1))
    size = 10.0 ** (rng.uniform(-3, 2) if rng.random() < 0.8 else rng.uniform(2, 30))
    x = rng.normal(size=(*shape, classes)) * size + rng.choice([0.0, -40.0, 3e3, size])
    if rng.random() < 0.3:
        x = np.round(x / size) * size
    if rng.random() < 0.4 and x.size:
        x.flat[rng.integers(x.size, size=1 + x.size // 50)] = rng.choice(SPECIAL)
    if MAPPINGS[name].domain.is_valid is not None and rng.random() < 0.8:
        x = np.abs(x)
    with np.errstate(all="ignore"):
        return np.moveaxis(x, -1, axis).astype(dtype), axis - len(x.shape)


def laid_out(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values in one of the layouts that arrays come in, and all memory around them, guards included."""
    layout = rng.choice(["C", "F", "steps", "backwards", "swapped bytes", "odd address", "a part"])
    axes = rng.permutation(values.ndim) if layout == "F" else np.arange(values.ndim)
    part: tuple[slice, ...] = (slice(None),) * values.ndim
    dtype = values.dtype.newbyteorder() if layout == "swapped bytes" else values.dtype
    shape = np.array(values.shape)
    if layout == "steps":
        part = tuple(slice(1, 1 + 3 * n, 3) for n in shape)
        shape = 1 + 3 * shape
    elif layout == "backwards":
        part = (slice(None, None, -1),) * values.ndim
    elif layout == "a part":
        part = tuple(slice(1, 1 + n) for n in shape)
        shape = shape + 2
    # Guards before and after, which no result may reach; at an odd address where asked for.
    ahead = 64 + (layout == "odd address")
    memory = np.full(ahead + int(np.prod(shape)) * dtype.itemsize + 64, 7, np.uint8)
    whole = memory[ahead:-64].view(dtype).reshape(shape[axes]).transpose(np.argsort(axes))
    view = whole[(*part, ...)]
    view[...] = values
    return view, memory


def as_input(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for what is only read: with repeated rows, or read-only."""
    if rng.random() < 0.1 and values.ndim:
        axis = int(rng.integers(values.ndim))
        if values.shape[axis]:
            few = values.take([0], axis).copy()
            return np.broadcast_to(few, values.shape), few
    view, memory = laid_out(rng, values)
    view.flags.writeable = bool(rng.random() < 0.7)
    return view, memory


def an_out(rng: np.random.Generator, scores: np.ndarray) -> tuple[np.ndarray | None, Any]:
    """Where to write: nowhere, onto the scores themselves, or NaN-filled memory; and what to call to see that no more was."""
    choice = rng.choice(["none", "scores", "other"])
    if choice == "none" or not scores.dtype.isnative or (choice == "scores" and not scores.flags.writeable):
        return None, lambda: None
    if choice == "scores":
        return scores, lambda: None
    out, memory = laid_out(rng, np.full(scores.shape, np.nan, scores.dtype))
    if not out.dtype.isnative:
        return None, lambda: None
    kept = out.copy()

    def check() -> None:
        written = out.copy()
        out[...] = kept
        assert memory.tobytes() == before, "the memory around out was written"
        out[...] = written

    before = memory.tobytes()
    return out, check


def record_for(rng: np.random.Generator, name: str, value: Any, rows: tuple[int, ...]) -> ProbabilityMapping:
    if value is None:
        return MAPPINGS[name]
    if value == ALPHA_A_ROW:
        return MAPPINGS[name].replace(alpha=rng.choice([1.0, 1.05, 1.2, 1.5, 2.0, 2.5, 3.0], size=rows))
    return MAPPINGS[name].replace(**{"alpha" if name == "entmax" else "order": value})


def spacing(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The ULP of a dtype at each value."""
    size = np.minimum(np.abs(values), float(np.finfo(dtype).max)).astype(dtype)
    return np.maximum(np.spacing(size).astype(np.float64), float(np.finfo(dtype).smallest_subnormal))


def assert_between(got: Any, low: Any, high: Any, ulps: float, dtype: np.dtype, what: str) -> None:
    """Within so many ULP of [low, high]; NaN and infinities where they are there, or where the dtype ends."""
    got, low, high = (np.asarray(v, dtype=np.float64) for v in (got, low, high))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(low), err_msg=f"{what}: places of NaN")
    with np.errstate(all="ignore"):
        first = low - ulps * spacing(low, dtype)
        last = high + ulps * spacing(high, dtype)
        edge = float(np.finfo(dtype).max)
        first, last = np.where(first > edge, edge, first), np.where(last < -edge, -edge, last)
        # Beyond the largest number a result is rounded to infinity.
        fits = (got >= first) & (got <= last) | np.isnan(got)
        fits |= np.isposinf(got) & (high >= edge) | np.isneginf(got) & (low <= -edge)
        fits &= ~np.isinf(low) | ~np.isinf(high) | (low != high) | (got == low)
    if not fits.all():
        worst = np.unravel_index(int(np.argmin(fits)), fits.shape)
        at = tuple(int(i) for i in worst)
        raise AssertionError(f"{what} {at}: got {got[worst]!r}, expected {low[worst]!r} to {high[worst]!r} in {dtype}")


class Truth:
    """What the formulas say of scores in float64, classes last, and how far from it a kernel may be."""

    def __init__(self, record: ProbabilityMapping, scores: np.ndarray, dtype: np.dtype):
        self.record, self.x, self.dtype = record, scores, dtype
        self.noise = NOISE[str(dtype)]
        self.floor_of_z = (
            0.0
            if record.name in ("softmax", "softmax_plus_one") or record.family == "regularized"
            else FLOOR_OF_Z[str(dtype)]
        )
        self.ulps = 2.0 if record.name == "softmax" and dtype == np.float32 else ROUNDING[str(dtype)]
        self.p, self.z = (PORTABLE.evaluate(record, scores, q) for q in ("probabilities", "log_partition"))
        with np.errstate(all="ignore"):
            largest = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
            self.distance = np.where(np.isfinite(scores - largest), scores - largest, 0.0)
            sizes = np.concatenate([np.abs(scores), np.abs(self.z)[..., None]], axis=-1)
            self.size_of_z = np.max(np.where(np.isfinite(sizes), sizes, 0.0), axis=-1)
            self.low, self.high = self._interval()

    def _interval(self) -> tuple[np.ndarray, np.ndarray]:
        """What p of the regularized family becomes when its scores are moved as far as the bound allows."""
        p, record = self.p, self.record
        alpha = 2.0 if record.name == "sparsemax" else record.values.get("alpha", 1.0)
        if record.family == "normalized" or record.name == "hardmax" or (np.isscalar(alpha) and alpha == 1.0):
            return p, p
        if record.budget.kind == "absolute":
            slack = self.noise * np.max(p, axis=-1, keepdims=True)
            return np.maximum(p - slack, 0.0), p + slack
        # p = exp_alpha(u), u = x - max + t for one t of the row, which the largest p shows.
        rate = np.maximum(np.asarray(alpha) - 1.0, 2.0**-52)[..., None] * np.ones_like(p)
        log_p = np.log(np.where(p > 0, p, 1.0))
        u = np.expm1(rate * log_p) / rate
        t = np.max(np.where(p > 0, u - self.distance, -np.inf), axis=-1, keepdims=True)
        u = np.where(p > 0, u, self.distance + t)
        move = self.noise * np.maximum(1.0, np.abs(self.distance))

        def power(v: np.ndarray) -> np.ndarray:
            inside = rate * v > -1.0
            return np.where(inside, np.exp(np.log1p(np.where(inside, rate * v, 0.0)) / rate), 0.0)

        low, high = power(u - move), power(u + move)
        # Scores that are infinite leave nothing to move.
        still = ~np.isfinite(self.x) | ~np.isfinite(np.max(self.x, axis=-1, keepdims=True))
        return np.where(still, p, np.minimum(low, p)), np.where(still, p, np.maximum(high, p))

    def check(self, got: np.ndarray, quantity: str, dtype: np.dtype) -> None:
        with np.errstate(all="ignore"):
            if quantity == "log_partition":
                # The kernels of float32 softmax add to a largest score that may cancel, in float32.
                noise = 2.0**-22 if self.ulps == 2.0 else self.noise
                slack = np.where(np.isfinite(self.z), noise * self.size_of_z + self.floor_of_z, 0.0)
                low, high = self.z - slack, self.z + slack
            elif quantity == "probabilities":
                low, high = self.low, self.high
            elif self.record.family == "normalized" or self.low is self.high:
                low = high = PORTABLE.evaluate(self.record, self.x, quantity)
            else:
                exact = PORTABLE.evaluate(self.record, self.x, quantity)
                low, high = np.minimum(np.log(self.low), exact), np.maximum(np.log(self.high), exact)
                # A p that underflows, which of either side's exponentials, has no logarithm.
                low = np.where(high < -690.0, -np.inf, low)
        assert_between(got, low, high, min(self.ulps, 4.0), dtype, f"{self.record.label}, {quantity}")


@pytest.mark.parametrize(("name", "value"), CASES)
def test_probabilities_of_anything(name: str, value: Any) -> None:
    for seed in seeds(1000):
        rng = np.random.default_rng(seed)
        for dtype, quantity in itertools.product(DTYPES, QUANTITIES):
            try:
                evaluate_anything(rng, name, value, dtype, quantity)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {dtype}: {error}") from error


def evaluate_anything(rng: np.random.Generator, name: str, value: Any, dtype: np.dtype, quantity: str) -> None:
    values, axis = draw_scores(rng, dtype, name)
    scores, memory = as_input(rng, values)
    last = np.moveaxis(np.array(scores, dtype=dtype), axis, -1)
    record = record_for(rng, name, value, last.shape[:-1])
    before = memory.tobytes()
    if quantity == "log_partition":
        got = NATIVE.evaluate(
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


def draw_options(rng: np.random.Generator, rows: tuple[int, ...], classes: int, is_plain: bool) -> dict[str, Any]:
    """Arguments of a loss, each option there or not."""
    options: dict[str, Any] = {"reduction": str(rng.choice(["mean", "sum", "none", "parts"]))}
    if is_plain:
        return options
    some = {
        "weight": rng.uniform(0, 2, size=classes) * (rng.random(classes) < 0.9),
        "sample_weight": (rng.uniform(0, 2, size=rows) * (rng.random(rows) < 0.8)).astype(rng.choice(["f4", "f8"])),
        "label_smoothing": float(rng.choice([0.1, 1.0])),
        "z_loss": float(rng.choice([1e-3, 0.5])),
        "temperature": float(rng.choice([0.5, 0.7, 3.0])),
        "softcap": float(rng.choice([0.5, 5.0, 30.0])),
    }
    return options | {name: value for name, value in some.items() if rng.random() < 0.4}


def draw_targets(rng: np.random.Generator, rows: tuple[int, ...], classes: int, axis: int) -> tuple[Any, bool, int]:
    """Labels, some of them ignored, or soft targets with the classes at `axis`; whether they are soft; what is ignored."""
    if rng.random() < 0.6:
        labels = rng.integers(0, classes, size=rows).astype(rng.choice(["i2", "i4", "i8"]))
        ignored = int(rng.choice([-100, 0]))
        return np.where(rng.random(rows) < 0.2, ignored, labels).astype(labels.dtype), False, ignored
    soft = rng.exponential(size=(*rows, classes)) * (rng.random((*rows, classes)) < 0.7) + 1e-9
    soft = soft / soft.sum(axis=-1, keepdims=True)
    soft[rng.random(rows) < 0.3] = np.eye(classes)[rng.integers(classes)]
    return np.moveaxis(soft.astype(rng.choice(["f4", "f8"])), -1, axis), True, -100


@pytest.mark.parametrize(("name", "value"), CASES)
def test_losses_of_anything(name: str, value: Any) -> None:
    for seed in seeds(2000):
        rng = np.random.default_rng(seed)
        for dtype in (*DTYPES, *DTYPES):
            try:
                lose_anything(rng, name, value, dtype)
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
        np.testing.assert_array_equal(a, b, err_msg="the loss alone differs from the loss beside its gradient")
    activation = Activation(options.pop("temperature", 1.0), options.pop("softcap", None))
    asked = LossOptions(activation=activation, ignore_index=ignored, **options)
    check_loss(record, wide, y, is_soft, asked, pairs[0], np.moveaxis(gradient, axis, -1), dtype)


def check_loss(
    record: ProbabilityMapping, wide: np.ndarray, y: np.ndarray, is_soft: bool, options: LossOptions,
    got: tuple[Any, ...], gradient: np.ndarray, dtype: np.dtype,
) -> None:  # fmt: skip
    """Losses and gradient within so many ULP, and of what is subtracted on the way so many of the larger part."""
    expected, slopes = PORTABLE.loss(record, wide, y, is_soft, options, True)
    with np.errstate(all="ignore"):
        seen = options.activation(wide, xp)
        truth = Truth(record, seen, dtype)
        each, slack = loss_slack(truth, y, is_soft, options)
        denominator = PORTABLE.loss(record, wide, y, is_soft, replaced(options, "parts"), False)[0][1]
        scale = 1.0 / denominator if options.reduction == "mean" and denominator > 0 else 1.0
        a_slope = options.activation.pull_back(wide, np.ones_like(wide), xp)
        slack = slack * scale * a_slope
        loss_slacks = each if options.reduction == "none" else np.sum(each) * scale
    what = f"{record.label}, {options}"
    wanted = expected if isinstance(expected, tuple) else (expected,)
    loss_dtype = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    ulps = max(truth.ulps, 1.0) * 2
    for i, (value, exact) in enumerate(zip(got, wanted, strict=True)):
        around = np.where(np.isfinite(exact), loss_slacks if i == 0 else 0.0, 0.0)
        assert_between(value, exact - around, exact + around, ulps, loss_dtype, f"loss of {what}")
    # At an infinite score a loss has no derivative, and the two sides may stand for different limits.
    is_smooth = ~np.isinf(wide).any(axis=-1)
    # 1 / x of a subnormal x may overflow, of which ratio and spherical would subtract one from another.
    is_smooth &= ~((seen != 0) & (np.abs(seen) < float(np.finfo(np.float64).smallest_normal))).any(axis=-1)
    if record.name == "hardmax" and options.activation.softcap is not None and seen.shape[-1] > 1:
        # Which saturated scores tie is a matter of the last bit of tanh.
        highest = np.partition(seen, -2, axis=-1)[..., -2:]
        is_smooth &= (
            highest[..., 1] - highest[..., 0] > 2.0**-50 * options.activation.softcap / options.activation.temperature
        )
    slopes, slack, gradient = slopes[is_smooth], slack[is_smooth], gradient[is_smooth]
    around = np.where(np.isfinite(slopes) & np.isfinite(slack), slack, 0.0)
    assert_between(gradient, slopes - around, slopes + around, truth.ulps, dtype, f"gradient of {what}")


def replaced(options: LossOptions, reduction: str) -> LossOptions:
    return type(options)(**{**vars(options), "reduction": reduction})


def loss_slack(t: Truth, y: np.ndarray, is_soft: bool, o: LossOptions) -> tuple[np.ndarray, np.ndarray]:
    """How far each row's loss and each entry of its gradient may be off, beside their own rounding."""
    classes = t.x.shape[-1]
    plain = y.astype(np.float64) if is_soft else (y[..., None] == np.arange(classes)).astype(np.float64)
    smooth = plain * (1 - o.label_smoothing) + o.label_smoothing / classes
    weight = np.ones(classes) if o.weight is None else o.weight
    row = np.ones(t.x.shape[:-1]) if o.sample_weight is None else o.sample_weight.astype(np.float64)
    counted = (row != 0) & (True if is_soft else y != o.ignore_index)
    noise = t.noise
    # Softmax of float32 is computed in its own precision where labels alone are asked for.
    if t.record.name == "softmax" and t.ulps == 2.0:
        noise = 4 * float(np.finfo(np.float32).eps)
    # tanh is rounded in float64, and the mapping sees its result times the softcap.
    noise_of_cap = 0.0 if o.activation.softcap is None else 2.0**-52 * o.activation.softcap / o.activation.temperature
    capped = 1.0 if o.activation.softcap is None else 1.0 + o.activation.softcap / o.activation.temperature
    noise = noise * capped
    point = t.record.at(t.x, xp)
    reach = np.maximum(1.0, np.abs(t.distance))
    # Z is off by noise of its size and by its floor; a p that rounds to zero is off by what it was.
    off_z = noise * t.size_of_z + t.floor_of_z
    pull, tiny = (
        2 * o.z_loss * row * np.maximum(t.size_of_z, t.floor_of_z / noise),
        float(np.finfo(t.dtype).smallest_subnormal),
    )
    each = 2 * o.z_loss * row * off_z * np.maximum(t.size_of_z, np.abs(t.z))
    if t.record.family == "normalized":
        targets = smooth * weight
        slope = np.abs(point.partition_gradient())
        steep = np.where(t.p > 0, slope / np.where(t.p > 0, t.p, 1.0), 0.0)
        total = targets.sum(axis=-1, keepdims=True)
        part = row[..., None] * (total * slope + targets * steep) + pull[..., None] * slope
        is_subtracting = is_soft or o.label_smoothing or o.z_loss or capped != 1.0
        slack = noise * part if is_subtracting else 0.0 * part
        slack = slack + (pull * tiny)[..., None]
        each = each + row * noise * (capped - 1.0) * total[..., 0]
    else:
        factor = row * (plain * weight).sum(axis=-1)
        moved = np.maximum(t.high - t.p, t.p - t.low) + (2 * noise_of_cap)
        slack = factor[..., None] * (moved + noise * (t.p + smooth)) + pull[..., None] * (moved + noise * t.p)
        each = each + factor * noise * (np.abs(t.p - smooth) * reach + smooth * reach).sum(axis=-1)
    clean = lambda v, c: np.where(c & np.isfinite(v), v, 0.0)  # noqa: E731
    return clean(each, counted), clean(slack, counted[..., None])
