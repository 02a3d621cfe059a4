"""Probabilities, their logarithms and the log-partition, held to the record's budget."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.checks import oracles
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import absolute_error, ulp_error
from lastlayer.checks.rows import rows_near_one, score_rows
from lastlayer.dispatch import Request, implementation_for
from lastlayer.functions import log_probabilities, probabilities
from lastlayer.mappings import ProbabilityMapping

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
#: How far Z may be off beside its ULPs where Σ g is near one; softmax has no such floor.
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
            # Rounding the result once is not part of the scores' error.
            error, unit = ulp_error(value, truth, dtype), "ULP"
            if error > 1.0:
                nearest = nearest_attainable(mapping, row, k, value, limit * float(np.finfo(dtype).eps))
                error = limit if ulp_error(value, nearest, dtype) <= 1.0 else error + limit
        assert error <= limit, (
            f"{mapping.label} [{where}]: class {k} of {row!r} got {value!r}, the truth is {float(truth)!r}: "
            f"{error:.3g} {unit}, budget {limit:g}"
        )


def nearest_attainable(mapping: ProbabilityMapping, row: np.ndarray, k: int, value: Any, relative: float) -> Any:
    """Of what scores moved by ≤ relative·max(1, |x − max|) can give class k, the probability nearest to `value`.

    p rises with its own score and falls with every other, so the extremes are at the corners.
    """
    mp = oracles.context(mapping)
    scores = oracles.exact_row(row, mp)
    moves = [relative * max(mp.mpf(1), max(scores) - score) for score in scores]
    ends = []
    for sign in (-1, 1):
        moved = [s + sign * (m if j == k else -m) for j, (s, m) in enumerate(zip(scores, moves, strict=True))]
        ends.append(mapping.oracle(moved, mp, **mapping.values)[k])
    return min(max(mp.mpf(float(value)), ends[0]), ends[1])


def check_log_probabilities(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Logarithms keep the budget where the bound is in ULP, and follow from that of p otherwise; −inf exactly where p = 0."""
    mp = oracles.context(mapping)
    for dtype in DTYPES:
        eps = float(np.finfo(dtype).eps)
        for kind, rows in score_rows(mapping, dtype).items():
            got = backend.to_numpy(log_probabilities(backend.to_array(rows), mapping=mapping))
            for row, logs in zip(rows, got, strict=True):
                exact = oracles.probabilities(mapping, row)
                for k, (value, p) in enumerate(zip(logs, exact, strict=True)):
                    place = f"{mapping.label} [{kind}, {backend.name}]: log p of class {k} of {row!r} got {value!r}"
                    if not p:
                        assert float(value) == -float("inf") or mapping.budget.kind != "ulp", (
                            f"{place}, the truth is -inf"
                        )
                        continue
                    truth = mp.log(p)
                    if mapping.budget.kind == "ulp":
                        error = ulp_error(value, truth, dtype)
                        assert error <= bound(mapping, dtype), (
                            f"{place}, the truth is {float(truth)!r}: {error:.3g} ULP"
                        )
                    elif p > 1e-3:
                        slack = 2 * bound(mapping, dtype) * eps * (float(max(exact) / p) + abs(float(truth)))
                        assert absolute_error(value, truth) <= slack, f"{place}, the truth is {float(truth)!r}"


def check_log_partition(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Z is within the larger of 2 ULP and the budget, of max(|largest score|, |Z|), and the floor of a total near one."""

    mp = oracles.context(mapping)
    for dtype in DTYPES:
        limit = max(2.0, bound(mapping, dtype))
        floor = FLOOR_OF_Z[dtype.name] if mapping.family == "normalized" and mapping.name != "softmax" else 0.0
        for kind, rows in (score_rows(mapping, dtype) | rows_near_one(mapping, dtype)).items():
            scores = backend.to_array(rows)
            got = backend.to_numpy(
                implementation_for(scores, Request(mapping, "log_partition")).evaluate(mapping, scores, "log_partition")
            )
            for row, value in zip(rows, got, strict=True):
                truth = oracles.log_partition(mapping, row)
                scale = max(abs(truth), mp.mpf(float(np.abs(row).max())))
                ulp = max(float(np.spacing(dtype.type(scale))), 5e-324)
                assert absolute_error(value, truth) <= limit * ulp + floor, (
                    f"{mapping.label} [{kind}, {backend.name}]: Z of {row!r} got {value!r}, the truth is {float(truth)!r}"
                )


def check_half_types(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """float16 scores give the float64 result rounded once, where the library has float16."""
    if not backend.has_half:
        return
    half = np.dtype(np.float16)
    rows = score_rows(mapping, half)["random"]
    got = backend.to_numpy(probabilities(backend.to_array(rows), mapping=mapping))
    assert got.dtype == half, f"{mapping.label}: {got.dtype} for float16 scores"
    for row, p in zip(rows, got, strict=True):
        for value, truth in zip(p, oracles.probabilities(mapping, row), strict=True):
            assert ulp_error(value, truth, half) <= 0.51, f"{mapping.label}: {value!r} for {float(truth)!r} in float16"
