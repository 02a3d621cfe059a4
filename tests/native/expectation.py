"""The formulas' results in float64, and the errors that the bounds allow a kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from lastlayer.backends import PORTABLE
from lastlayer.checks.accuracy import FLOOR_OF_Z
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

#: Rounding of a result, in ULP, and of what goes into it, relative: half types and float32 are computed wider.
ROUNDING = {"float16": 0.51, "float32": 1.0, "float64": 8.0}
NOISE = {"float16": 2.0**-36, "float32": 2.0**-36, "float64": 2.0**-48}


def spacing(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The ULP of a dtype at each value."""
    size = np.minimum(np.abs(values), float(np.finfo(dtype).max)).astype(dtype)
    return np.maximum(np.spacing(size).astype(np.float64), float(np.finfo(dtype).smallest_subnormal))


def assert_between(got: Any, low: Any, high: Any, ulps: float, dtype: np.dtype, what: str) -> None:
    """Within `ulps` ULP of [low, high]; NaN and infinities in the same places, or where the dtype overflows."""
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
    """The formulas' results for scores in float64, classes last, and the error that a kernel may have."""

    def __init__(self, record: ProbabilityMapping, scores: np.ndarray, dtype: np.dtype):
        self.record, self.x, self.dtype = record, scores, dtype
        self.noise = NOISE[str(dtype)]
        self.floor_of_z = (
            0.0
            if record.name in ("softmax", "softmax_plus_one") or record.family == "regularized"
            else FLOOR_OF_Z["float64" if dtype == np.float64 else "float32"]
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
                # A p that underflows, on either side, has no logarithm.
                low = np.where(high < -690.0, -np.inf, low)
        assert_between(got, low, high, min(self.ulps, 4.0), dtype, f"{self.record.label}, {quantity}")


def check_loss(
    record: ProbabilityMapping, wide: np.ndarray, y: np.ndarray, is_soft: bool, options: LossOptions,
    got: tuple[Any, ...], gradient: np.ndarray, dtype: np.dtype,
) -> None:  # fmt: skip
    """Losses and gradient within the bound; that of a difference is in ULP of its larger part."""
    expected, slopes = PORTABLE.loss(record, wide, y, is_soft, options, True)
    with np.errstate(all="ignore"):
        seen = options.activation(wide, xp)
        truth = Truth(record, seen, dtype)
        each, slack = loss_slack(truth, y, is_soft, options)
        denominator = PORTABLE.loss(record, wide, y, is_soft, replace(options, reduction="parts"), False)[0][1]
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
    # 1 / x of a subnormal x may overflow; ratio and spherical would subtract one infinity from another.
    is_smooth = ~((seen != 0) & (np.abs(seen) < float(np.finfo(np.float64).smallest_normal))).any(axis=-1)
    if record.name == "hardmax" and options.activation.softcap is not None and seen.shape[-1] > 1:
        # Which saturated scores tie is a matter of the last bit of tanh.
        highest = np.partition(seen, -2, axis=-1)[..., -2:]
        is_smooth &= (
            highest[..., 1] - highest[..., 0] > 2.0**-50 * options.activation.softcap / options.activation.temperature
        )
    slopes, slack, gradient = slopes[is_smooth], slack[is_smooth], gradient[is_smooth]
    around = np.where(np.isfinite(slopes) & np.isfinite(slack), slack, 0.0)
    assert_between(gradient, slopes - around, slopes + around, truth.ulps, dtype, f"gradient of {what}")


def loss_slack(t: Truth, y: np.ndarray, is_soft: bool, o: LossOptions) -> tuple[np.ndarray, np.ndarray]:
    """The error allowed for each row's loss and each entry of its gradient, besides their own rounding."""
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
    # Z² has the row's weight in the mean.
    of_z = row if is_soft else row * (plain * weight).sum(axis=-1)
    pull, tiny = (
        2 * o.z_loss * of_z * np.maximum(t.size_of_z, t.floor_of_z / noise),
        float(np.finfo(t.dtype).smallest_subnormal),
    )
    each = 2 * o.z_loss * of_z * off_z * np.maximum(t.size_of_z, np.abs(t.z))
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
