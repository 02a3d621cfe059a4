"""Infinite and huge scores: kernels and formulas give the limit of growing scores, for every quantity, loss and gradient.

The expected limits come from the definition, in mpmath, at scores of ±10^400 and ±10^420. A value that is the same at both has
converged; a value that shrinks has the limit zero, and one that grows is infinite. Slopes are central differences of g.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

import lastlayer as ll
from lastlayer.backends import EXTENSION, NUMPY, PORTABLE
from lastlayer.losses import LossOptions

INF = float("inf")
MAPPINGS = (*ll.MAPPINGS, "taylor:order=6", "entmax:alpha=1", "entmax:alpha=1.3", "entmax:alpha=3")
#: Targets of three classes. Wider rows have more classes of score 0, to reach the kernels of short, middle and long rows.
TARGETS = (0, (0.125, 0.25, 0.625), (1.0, 0.0, 0.0))
QUANTITIES = ("probabilities", "log_probabilities", "log_partition")
OPTIONS = ({}, {"z_loss": 0.5}, {"weight": 2.0, "z_loss": 0.5})
#: Relative: half types are rounded at the end, and sums near one lose a few ULP.
TOLERANCE = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-14}

mp = mpmath.MPContext()
mp.prec = 1900
FAR = (mp.mpf(10) ** 400, mp.mpf(10) ** 420)
STEP = mp.ldexp(1, -64)
#: The precision of the regularized family's root finders.
low = mpmath.MPContext()
low.prec = 120


def largest(dtype: Any) -> float:
    return float(np.finfo(dtype).max)


def rows(dtype: Any) -> np.ndarray:
    values = (INF, -INF, 0.0, 1.0, largest(dtype), -largest(dtype))
    return np.array(list(itertools.product(values, repeat=3)), dtype)


def at(score: float, far: Any) -> Any:
    return mp.mpf(score) if np.isfinite(score) else (far if score > 0 else -far)


def limit(values: tuple[Any, Any]) -> float:
    """The limit, from the values at both distances."""
    first, second = values
    if abs(second) < mp.mpf(10) ** -360:
        return 0.0
    if abs(first - second) <= mp.mpf(10) ** -60 * abs(second):
        return float(second)
    return 0.0 if abs(second) < abs(first) else float(mp.sign(second)) * INF


def taylor(x: Any, order: int = 2) -> Any:
    return mp.fsum(x**j / mp.factorial(j) for j in range(order + 1))


#: g of the normalized family, written here independently of the records.
G = {
    "softmax": mp.exp,
    "softmax_plus_one": mp.exp,
    "ratio": lambda x: x,
    "spherical": lambda x: x * x,
    "taylor": taylor,
    "taylor:order=6": lambda x: taylor(x, 6),
    "softplus_ratio": lambda x: mp.log1p(mp.exp(x)),
    "sigmoid_ratio": lambda x: 1 / (1 + mp.exp(-x)),
    "stablemax": lambda x: x + 1 if x >= 0 else 1 / (1 - x),
}


@cache
def class_of(label: str, score: Any) -> tuple[Any, Any]:
    """g and g′ of one score."""
    g = G[label]
    return g(score), (g(score + STEP) - g(score - STEP)) / (2 * STEP)


class Truth:
    """Expected results of one row, with the infinite scores replaced by ±`far`. Equal scores are stored once, with a count."""

    def __init__(self, label: str, row: tuple[float, ...], width: int, far: Any, nearer: Any = None):
        self.record = ll.resolve_mapping(label)
        self.scores = [at(score, far) for score in row] + [mp.mpf(0)] * (width > len(row))
        self.times = [1] * len(row) + [width - len(row)] * (width > len(row))
        if self.record.family == "normalized":
            known = [class_of(label, score) for score in self.scores]
            self.g, slopes = [g for g, _ in known], [slope for _, slope in known]
            total = mp.fsum(n * g for n, g in zip(self.times, self.g, strict=True)) + (label == "softmax_plus_one")
            self.p = [g / total for g in self.g]
            self.log_p = [mp.log(p) if p else -mp.inf for p in self.p]
            self.z, self.z_slopes = mp.log(total), [slope / total for slope in slopes]
            self.steep = [slope / g if g else mp.inf for g, slope in known]
        else:
            # Shift the scores, so that the definition does not cancel.
            top = max(self.scores)
            shifted = [score - top for score in self.scores]
            whole = [s for s, n in zip(shifted, self.times, strict=True) for _ in range(n)]
            if nearer is not None:
                # The probabilities are the same at both distances.
                self.whole = p = nearer.whole
            elif label == "entmax:alpha=1":
                known = {s: mp.exp(s) for s in set(whole)}
                total = mp.fsum(n * known[s] for s, n in zip(shifted, self.times, strict=True))
                p = [known[s] / total for s in whole]
            else:
                p = self.record.oracle([low.mpf(s) for s in whole], low, **self.record.values)
            self.whole = p
            self.p = [mp.mpf(q) for q in [*p[: len(row)], *p[len(row) : len(row) + 1]]]
            self.log_p = [mp.log(q) if q else -mp.inf for q in self.p]
            self.shifted = shifted
            self.own_z = mp.fsum(n * q * s for n, q, s in zip(self.times, self.p, shifted, strict=True) if q) - mp.mpf(
                self.record.regularizer_oracle([low.mpf(q) for q in p], low, **self.record.values)
            )
            self.z, self.z_slopes = top + self.own_z, self.p

    def loss(self, y: tuple[float, ...], is_soft: bool, weight: float, z_loss: float) -> tuple[Any, list[Any]]:
        """The loss and its gradient by the definition, if all class weights are equal."""
        y = [mp.mpf(t) for t in (*y, *([0.0] * (len(self.scores) - len(y))))]
        if self.record.family == "normalized":
            value = -mp.fsum(t * q for t, q in zip(y, self.log_p, strict=True) if t)
            slopes = [s - (t * steep if t else 0) for s, t, steep in zip(self.z_slopes, y, self.steep, strict=True)]
        else:
            fitted = mp.fsum(t * s for t, s in zip(y, self.shifted, strict=True) if t)
            value = self.own_z + self.record.regularizer_oracle(y, mp, **self.record.values) - fitted
            slopes = [q - t for q, t in zip(self.p, y, strict=True)]
        by = z_loss * (1.0 if is_soft else weight)
        value = weight * value + by * self.z**2
        return value, [weight * s + 2 * by * self.z * z for s, z in zip(slopes, self.z_slopes, strict=True)]


@cache
def truths(label: str, row: tuple[float, ...], width: int) -> tuple[Truth, Truth] | None:
    """`Truth` at both distances, for the scores of a row in increasing order; None if the row is NaN."""
    record = ll.resolve_mapping(label)
    scores = np.array([*row, *([0.0] * (width - len(row)))])
    if record.domain.is_valid is not None and not record.domain.is_valid(scores, np):
        return None
    if (scores == -INF).all() and record.row_of_minus_inf == "nan":
        return None
    near = Truth(label, row, width, FAR[0])
    return near, Truth(label, row, width, FAR[1], near)


@cache
def limits(label: str, row: tuple[float, ...], width: int, ask: tuple[Any, ...]) -> list[float] | None:
    """The limits for scores in increasing order; None if the row is NaN.

    `ask` is (quantity,) or ("loss", y, is_soft, weight, z_loss); the loss is followed by its gradient.
    """
    both = truths(label, row, width)
    if both is None:
        return None
    if ask[0] == "loss":
        found = [[loss, *slopes] for loss, slopes in (truth.loss(*ask[1:]) for truth in both)]
    else:
        found = [{"probabilities": t.p, "log_probabilities": t.log_p, "log_partition": [t.z]}[ask[0]] for t in both]
    return [limit(pair) for pair in zip(*found, strict=True)]


def limits_of(label: str, x: np.ndarray, width: int, asked: Any) -> np.ndarray:
    """`limits` of every row, with `ask` from asked(order), and the classes put back from increasing order.

    The common entry of the additional classes of score 0 comes last.
    """
    orders = np.argsort(x, axis=1)
    found = []
    for row, order in zip(x, orders, strict=True):
        ask = asked(order)
        values = limits(label, tuple(map(float, row[order])), width, ask)
        size = {"log_partition": 1, "loss": 1 + 3 + (width > 3)}.get(ask[0], 3 + (width > 3))
        values = np.full(size, np.nan) if values is None else np.array(values)
        if size > 1:
            ahead = int(ask[0] == "loss")
            values[ahead + order] = values[ahead : ahead + 3].copy()
        found.append(values)
    return np.array(found)


def assert_limits(got: np.ndarray, truth: np.ndarray, scale: Any, dtype: Any, x: np.ndarray, where: str) -> None:
    """Check that results are within rounding of the limits, and infinite, NaN or exactly zero where the limit is."""
    got = got.astype(np.float64)
    with np.errstate(all="ignore"):
        truth = truth.astype(dtype).astype(np.float64)
        bound = TOLERANCE[np.dtype(dtype).name] * np.maximum(np.abs(truth), scale)
        fits = (got == truth) | (np.isnan(got) & np.isnan(truth))
        fits |= np.isfinite(truth) & (truth != 0) & (np.abs(got - truth) <= bound)
        # Near the largest number a difference may overflow before a small target multiplies it.
        fits |= (np.abs(truth) >= largest(dtype) / 16) & (got == np.copysign(INF, truth))
    for i in np.flatnonzero(~fits.reshape(len(x), -1).all(axis=1))[:1]:
        raise AssertionError(f"{where} of {x[i]}: got {got[i]!r}, the limit is {truth[i]!r}")


def wide(x: np.ndarray, width: int) -> np.ndarray:
    return np.concatenate([x, np.zeros((len(x), width - x.shape[1]), x.dtype)], axis=1)


def shown(values: np.ndarray, width: int) -> np.ndarray:
    """The entries of the three classes, and of one of the additional classes."""
    return values[..., : 3 + (width > 3)]


@pytest.fixture(params=["kernels", "formulas"])
def served(request: pytest.FixtureRequest) -> Any:
    if request.param == "formulas":
        return PORTABLE
    if EXTENSION is None:
        pytest.skip("built without kernels; install a C++ compiler")
    return NUMPY


def cases(record: Any) -> Any:
    """Every row of three classes in float64 and some rows in narrower dtypes. Wide rows have an infinite and no huge score."""
    yield np.float64, 3, rows(np.float64)
    for dtype, width, step in (
        (np.float16, 3, 9), (np.float32, 3, 4), (np.float32, 20, 3), (np.float64, 100, 4), (np.float32, 600, 5)
    ):  # fmt: skip
        if width == 600 and record.family == "regularized":
            continue  # No separate loop serves these rows.
        x = rows(dtype)
        is_usual = np.isinf(x).any(axis=1) & ~(np.abs(x) == dtype(largest(dtype))).any(axis=1)
        yield dtype, width, (x if width == 3 else x[is_usual])[::step]


def size_of(x: np.ndarray) -> np.ndarray:
    """The largest finite score of each row, at least one."""
    return np.abs(np.where(np.isfinite(x), x, 0).astype(np.float64)).max(axis=1, initial=1)


@pytest.mark.parametrize("label", MAPPINGS)
def test_quantities_are_limits(label, served):
    record = ll.resolve_mapping(label)
    for dtype, width, x in cases(record):
        for quantity in QUANTITIES:
            got = served.evaluate(record, wide(x, width), quantity)
            truth = limits_of(label, x, width, lambda order, quantity=quantity: (quantity,))
            scale = np.ones(len(x)) if quantity == "probabilities" else size_of(x)
            where = f"{label}, {quantity}, {width - 3} zeros behind"
            if quantity == "log_partition":
                # Leave out rows of only -inf: they have no probabilities, but the logarithm of their sum may be defined.
                is_known = ~(x == -INF).all(axis=1)
                assert_limits(got[is_known], truth[is_known, 0], scale[is_known], dtype, x[is_known], where)
            else:
                assert_limits(shown(got, width), truth, scale[:, None], dtype, x, where)


@pytest.mark.parametrize("label", MAPPINGS)
def test_losses_and_gradients_are_limits(label, served):
    record = ll.resolve_mapping(label)
    for dtype, width, whole in cases(record):
        for option, target in itertools.product(OPTIONS if dtype == np.float64 else OPTIONS[:2], TARGETS):
            is_soft = isinstance(target, tuple)
            y = target if is_soft else tuple(float(k == target) for k in range(3))
            # Z² of the largest float64 scores overflows, and so does its gradient.
            x = whole[size_of(whole) < 1e150] if option else whole
            given = wide(np.broadcast_to(np.array(y), x.shape), width) if is_soft else np.full(len(x), target)
            weight, z_loss = option.get("weight", 1.0), option.get("z_loss", 0.0)
            asked = LossOptions(
                weight=np.full(width, weight) if "weight" in option else None, z_loss=z_loss, reduction="none"
            )
            losses, gradient = served.loss(record, wide(x, width), given, is_soft, asked, True)
            truth = limits_of(
                label, x, width, lambda order: ("loss", tuple(y[i] for i in order), is_soft, weight, z_loss)
            )
            where, size = f"{label}, target {target}, {option}, {width - 3} zeros behind", size_of(x)
            with np.errstate(over="ignore"):
                of_z = z_loss * size * size
            assert_limits(losses, truth[:, 0], np.maximum(size, of_z), losses.dtype, x, f"loss: {where}")
            scale = 4.0 * np.maximum(1.0, np.minimum(size, 1e300) * z_loss)[:, None]
            assert_limits(shown(gradient, width), truth[:, 1:], scale, dtype, x, f"gradient: {where}")
