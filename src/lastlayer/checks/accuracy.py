"""Checks that probabilities, their logarithms and the log-partition are within the record's budget."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from lastlayer.checks import oracles
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import absolute_error, ulp, ulp_error
from lastlayer.checks.rows import rows_near_one, score_rows
from lastlayer.functions import log_probabilities, probabilities
from lastlayer.functions.probabilities import evaluate
from lastlayer.mappings import ProbabilityMapping

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
#: Additional absolute error allowed for Z = log Σ g, since Z cancels where Σ g is near one. Softmax does not need it.
FLOOR_OF_Z = {"float32": 2.0**-37, "float64": 2.0**-53}


def bound(mapping: ProbabilityMapping, dtype: np.dtype) -> float:
    """The number in the record's budget for a dtype."""
    return mapping.budget.float64 if dtype == np.float64 else mapping.budget.float32


def check_probabilities(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Every probability is within the budget of the oracle's, on every kind of row, in float32 and float64."""
    for dtype in DTYPES:
        for kind, rows in score_rows(mapping, dtype).items():
            got = backend.to_numpy(probabilities(backend.to_array(rows), mapping=mapping))
            assert got.dtype == dtype and got.shape == rows.shape, (
                f"{mapping.label}: {got.dtype} {got.shape} for {dtype} {rows.shape}"
            )
            for row, p in zip(rows, got, strict=True):
                check_row(mapping, row, p, dtype, f"{kind}, {backend.name}")


def check_row(mapping: ProbabilityMapping, row: np.ndarray, p: np.ndarray, dtype: np.dtype, where: str) -> None:
    """One row of probabilities against the oracle."""
    exact, limit = oracles.probabilities(mapping, row), bound(mapping, dtype)
    for k, (value, truth) in enumerate(zip(p, exact, strict=True)):
        if mapping.budget.kind == "ulp":
            error, unit = ulp_error(value, truth, dtype), "ULP"
        elif mapping.budget.kind == "absolute":
            error, unit = absolute_error(value, truth) / (float(np.finfo(dtype).eps) * float(max(exact))), "eps·max p"
        else:
            # One rounding of the result is allowed in addition to the moved scores.
            error, unit = ulp_error(value, truth, dtype), "ULP"
            if error > 1.0:
                nearest = nearest_attainable(mapping, row, k, float(value), limit * float(np.finfo(dtype).eps))
                error = limit if ulp_error(value, nearest, dtype) <= 1.0 else error + limit
        assert error <= limit, (
            f"{mapping.label} [{where}]: class {k} of {row!r} got {value!r}, the truth is {float(truth)!r}: "
            f"{error:.3g} {unit}, budget {limit:g}"
        )


def nearest_attainable(mapping: ProbabilityMapping, row: np.ndarray, k: int, value: Any, relative: float) -> Any:
    """The probability of class k nearest to `value` that scores moved by ≤ relative·max(1, |x − max|) can give.

    p increases with the score of its class and decreases with every other, so the extremes are at the corners.
    """
    mp = oracles.context(mapping)
    scores = oracles.exact_row(row, mp)
    moves = [relative * max(mp.mpf(1), max(scores) - score) for score in scores]
    ends = []
    for sign in (-1, 1):
        moved = [s + sign * (m if j == k else -m) for j, (s, m) in enumerate(zip(scores, moves, strict=True))]
        ends.append(mapping.oracle(moved, mp, **mapping.values)[k])
    return min(max(mp.mpf(value), ends[0]), ends[1])


def check_log_probabilities(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Logarithms are within the budget and agree with p: −inf exactly where p is 0, and ln p where p is a normal number."""
    for dtype in DTYPES:
        limit = bound(mapping, dtype)
        for kind, rows in score_rows(mapping, dtype).items():
            scores, where = backend.to_array(rows), f"{mapping.label} [{kind}, {backend.name}]"
            p = backend.to_numpy(probabilities(scores, mapping=mapping))
            got = backend.to_numpy(log_probabilities(scores, mapping=mapping))
            assert got.dtype == dtype and got.shape == rows.shape, f"{where}: {got.dtype} {got.shape} for {rows.shape}"
            compare_with_logarithms(p, got, limit if mapping.budget.kind == "ulp" else 1.0, where)
            for row, shares, logs in zip(rows, p, got, strict=True):
                _check_log_row(mapping, row, shares, logs, dtype, where)


def compare_with_logarithms(p: np.ndarray, logs: np.ndarray, limit: float, where: str) -> None:
    """Check that log p agrees with the p of the same scores: NaN where p is NaN, −inf exactly where p is 0, else ln p.

    A probability that underflows to 0 has a finite logarithm, below the logarithm of the smallest normal number.

    Args:
        limit: the allowed error of p, and of log p, in ULP.
    """
    info = np.finfo(p.dtype)
    wide, exact = p.astype(np.float64), logs.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = np.log(wide)
    is_small = wide < float(info.smallest_normal)
    slack = 2.0 * (limit + 1.0) * float(info.eps) * (1.0 + np.abs(truth))
    with np.errstate(invalid="ignore"):
        is_right = np.where(
            is_small,
            # Subnormal numbers have few digits, and some hardware flushes them to 0.
            np.where(
                exact == -np.inf, wide == 0, exact <= np.log(float(info.smallest_normal)) * (1.0 - float(info.eps))
            ),
            np.abs(exact - truth) <= slack,
        )
    is_right |= np.isnan(wide) & np.isnan(exact)
    if not is_right.all():
        at = tuple(int(i) for i in np.argwhere(~is_right)[0])
        raise AssertionError(f"{where}: log p of class {at} is {logs[at]!r}, but p is {p[at]!r}")


def _check_log_row(
    mapping: ProbabilityMapping, row: np.ndarray, p: np.ndarray, logs: np.ndarray, dtype: np.dtype, where: str
) -> None:
    """One row of logarithms against the oracle."""
    mp, limit, eps = oracles.context(mapping), bound(mapping, dtype), float(np.finfo(dtype).eps)
    exact, logarithms = oracles.probabilities(mapping, row), oracles.log_probabilities(mapping, row)
    for k, (share, value, truth, log_truth) in enumerate(zip(p, logs, exact, logarithms, strict=True)):
        # Written only where it is needed: to print a row takes longer than to check it.
        text = partial(_log_text, where, k, row, value, log_truth)
        if not truth and not share:
            assert float(value) == -float("inf"), text()
        elif mapping.budget.kind == "ulp":
            # A true p of 0 allows no error.
            error = ulp_error(value, log_truth, dtype) if truth else float("inf")
            assert error <= limit, f"{text()}: {error:.3g} ULP"
        elif mapping.budget.kind == "absolute":
            # exp(log p) may have the error of p, and one rounding of the logarithm.
            implied = mp.exp(mp.mpf(float(value)))
            allowed = limit * eps * max(exact) + (implied * ulp(value, dtype) if implied else 0)
            assert abs(implied - truth) <= allowed, text()
        elif float(value) > -float("inf"):
            implied, roundings = mp.exp(mp.mpf(float(value))), ulp(value, dtype) + eps
            # Two roundings, of p and of its logarithm. Moving the scores is slow, so it is tried only if they do not suffice.
            if abs(implied - truth) > truth * roundings:
                nearest = nearest_attainable(mapping, row, k, implied, limit * eps)
                assert abs(implied - nearest) <= nearest * roundings, text()
        else:
            assert not nearest_attainable(mapping, row, k, 0, limit * eps), text()


def _log_text(where: str, k: int, row: np.ndarray, value: Any, truth: Any) -> str:
    return f"{where}: log p of class {k} of {row!r} got {value!r}, the truth is {float(truth)!r}"


def check_log_partition(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Z is within the larger of 2 ULP and the budget, in ULP of max(|largest score|, |Z|), plus `FLOOR_OF_Z`."""
    mp = oracles.context(mapping)
    for dtype in DTYPES:
        limit = max(2.0, bound(mapping, dtype))
        floor = FLOOR_OF_Z[dtype.name] if mapping.family == "normalized" and mapping.name != "softmax" else 0.0
        for kind, rows in (score_rows(mapping, dtype) | rows_near_one(mapping, dtype)).items():
            scores = backend.to_array(rows)
            got = backend.to_numpy(evaluate("log_partition", scores, mapping))
            for row, value in zip(rows, got, strict=True):
                truth = oracles.log_partition(mapping, row)
                scale = max(abs(truth), mp.mpf(float(np.abs(row).max())))
                ulp = max(float(np.spacing(dtype.type(scale))), 5e-324)
                assert absolute_error(value, truth) <= limit * ulp + floor, (
                    f"{mapping.label} [{kind}, {backend.name}]: Z of {row!r} got {value!r}, the truth is {float(truth)!r}"
                )


def check_half_types(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """float16 scores give the float64 result rounded once, if the library has float16."""
    if not backend.has_half:
        return
    half, mp = np.dtype(np.float16), oracles.context(mapping)
    rows = score_rows(mapping, half)["random"]
    got = backend.to_numpy(probabilities(backend.to_array(rows), mapping=mapping))
    logs = backend.to_numpy(log_probabilities(backend.to_array(rows), mapping=mapping))
    assert got.dtype == logs.dtype == half, f"{mapping.label}: {got.dtype} and {logs.dtype} for float16 scores"
    compare_with_logarithms(got, logs, 1.0, f"{mapping.label} [float16, {backend.name}]")
    for row, p, log_p in zip(rows, got, logs, strict=True):
        for value, log_value, truth in zip(p, log_p, oracles.probabilities(mapping, row), strict=True):
            assert ulp_error(value, truth, half) <= 0.51, f"{mapping.label}: {value!r} for {float(truth)!r} in float16"
            is_right = ulp_error(log_value, mp.log(truth), half) <= 0.51 if truth else log_value == -np.inf
            assert is_right, f"{mapping.label}: log p is {log_value!r} for p = {float(truth)!r} in float16"
