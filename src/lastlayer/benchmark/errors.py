"""The largest error of each contender on rows that are hard to get right, against arbitrary precision.

Where the mapping promises ULP, errors are in ULP of each value. Where it promises a share of the row's largest probability
(sparsemax, entmax), values are in eps of that probability and losses in eps of max(1, loss).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, Result
from lastlayer.benchmark.problem import Problem, hard_problems
from lastlayer.benchmark.record import LargestError
from lastlayer.checks import oracles
from lastlayer.checks.measure import ulp_error
from lastlayer.losses import LossOptions


def largest_errors(operation: Operation, contenders: list[Peer], dtype: np.dtype, rows: int) -> Iterator[LargestError]:
    """One entry per contender that computes this, kind of rows, and result (values, loss)."""
    in_ulp = operation.mapping.budget.kind == "ulp"
    for kind, problem in hard_problems(operation.mapping, dtype, rows).items():
        for contender in contenders:
            call = contender.prepare(operation, problem)
            if call is None:
                continue
            found = {}
            if operation.quantity != "loss":
                found["values"] = _worst_value(operation, problem, call, in_ulp)
            if operation.has_loss:
                found["loss"] = _worst_loss(operation, problem, contender, in_ulp)
            for result, error in found.items():
                unit = "ULP" if in_ulp else "eps"
                yield LargestError(operation.computes, contender.name, kind, result, unit, error)


def _result(call: Call) -> Result:
    """Nothing from a contender that raises: that is infinitely wrong here, and named where it is to be timed."""
    try:
        return call.read(call.run())
    except Exception:
        return Result()


def _worst_value(operation: Operation, problem: Problem, call: Call, in_ulp: bool) -> float:
    got = _result(call).values
    if got is None:
        return float("inf")
    dtype = problem.scores.dtype
    worst = 0.0
    for row, label, values in zip(problem.scores, problem.labels, got, strict=True):
        truth = _true_values(operation, row, int(label), len(problem.scores))
        unit = None if in_ulp else _largest_probability(operation, row, len(problem.scores))
        worst = max(worst, *(_error(a, b, dtype, unit) for a, b in zip(np.atleast_1d(values), truth, strict=True)))
    return worst


def _true_values(operation: Operation, row: np.ndarray, label: int, rows: int) -> list[Any]:
    mapping = operation.mapping
    mp = oracles.context(mapping)
    if operation.quantity == "logsumexp":
        return [oracles.log_partition(mapping, row)]
    if operation.quantity == "loss_and_grad":
        # The loss is a mean, which divides every gradient by the number of rows.
        return [slope / rows for slope in oracles.loss_gradient(mapping, row, label, LossOptions())]
    p = oracles.probabilities(mapping, row)
    return [mp.log(q) for q in p] if operation.quantity == "log_probabilities" else p


def _largest_probability(operation: Operation, row: np.ndarray, rows: int) -> Any:
    """The row's largest probability, divided by the number of rows where a mean loss is differentiated."""
    largest = max(oracles.probabilities(operation.mapping, row))
    return largest / rows if operation.has_loss else largest


def _worst_loss(operation: Operation, problem: Problem, contender: Peer, in_ulp: bool) -> float:
    """Row by row: the mean over one row is its loss."""
    worst = 0.0
    for row, label in zip(problem.scores, problem.labels, strict=True):
        call = contender.prepare(operation, Problem.of(row[None], np.asarray([label])))
        assert call is not None
        truth = oracles.loss(operation.mapping, row, int(label), LossOptions())
        got = _result(call).loss
        if got is None:
            return float("inf")
        worst = max(worst, _error(got, truth, row.dtype, None if in_ulp else max(1, abs(truth))))
    return worst


def _error(got: Any, truth: Any, dtype: np.dtype, unit: Any) -> float:
    """The error in ULP of the truth, or in eps of `unit`."""
    if unit is None:
        return ulp_error(got, truth, dtype)
    if not np.isfinite(float(got)):
        return float("inf")
    return float(abs(truth - float(got)) / unit) / float(np.finfo(dtype).eps)
