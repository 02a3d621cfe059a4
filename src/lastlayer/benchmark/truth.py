"""Whether what is timed is right: compared with the record's formulas in float64 before the first measurement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import array_api_compat.numpy as xp
import numpy as np

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Result
from lastlayer.benchmark.problem import Problem
from lastlayer.losses import LossOptions, RowLosses, row_losses
from lastlayer.mappings import ProbabilityMapping

#: Errors allowed, in eps of the dtype: of each value, and of the largest of its row (of 1/N in the gradient of a mean). Far
#: above any library's rounding, far below 1/K.
OF_VALUE, OF_ROW = 1024.0, 16.0
#: Scores evaluated at a time, so that what is computed on the way stays in cache, and scores whose values are compared.
BLOCK, COMPARED = 2**15, 2**20


@dataclass(frozen=True)
class Truth:
    """What a mapping makes of a problem: single values on some rows, the mean loss over all of them."""

    mapping: ProbabilityMapping
    problem: Problem

    def fault(self, operation: Operation, result: Result) -> str | None:
        """What is wrong with a result, in words; None where nothing is."""
        eps = float(np.finfo(self.problem.scores.dtype).eps)
        if operation.has_loss:
            expected = self.mean_loss
            if result.loss is None or not abs(result.loss - expected) <= OF_VALUE * eps * abs(expected):
                return f"its loss is {result.loss}, and not {expected:.9g}"
        if operation.quantity == "loss":
            return None
        got, expected_values = result.values, self._values(operation)
        shape = self.problem.scores.shape[: 1 if operation.quantity == "logsumexp" else 2]
        if got is None or got.shape != shape:
            return f"its result has the shape {getattr(got, 'shape', None)}, and not {shape}"
        if np.isnan(np.min(got)):
            return "there is NaN in its result"
        seen = got[self.rows].astype(np.float64).reshape(len(self.rows), -1)
        error = np.abs(seen - expected_values)
        size = np.abs(expected_values)
        # A label's entry that is computed as p − 1 has lost what is below an eps of 1: that is no other result.
        of_row = 1 / len(got) if operation.quantity == "loss_and_grad" else size.max(axis=-1, keepdims=True)
        allowed = eps * (OF_VALUE * size + OF_ROW * of_row)
        if not np.all(error <= allowed):
            row, column = np.unravel_index(np.argmax(error / allowed), error.shape)
            return f"in row {self.rows[row]} it has {seen[row, column]:.9g}, and not {expected_values[row, column]:.9g}"
        return None

    @cached_property
    def rows(self) -> np.ndarray:
        """The rows that are looked at: the first, the last, and others anywhere."""
        rows, classes = self.problem.scores.shape
        count = min(rows, 64, max(4, COMPARED // classes))
        others = np.random.default_rng(2).integers(0, rows, size=max(count - 2, 0))
        return np.unique(np.concatenate([[0, rows - 1], others]))

    @cached_property
    def mean_loss(self) -> float:
        """The mean over all rows."""
        rows, classes = self.problem.scores.shape
        step = max(1, BLOCK // classes)
        return sum(self._losses(slice(i, i + step), gradient=False).losses.sum() for i in range(0, rows, step)) / rows

    def _losses(self, rows: slice | np.ndarray, *, gradient: bool) -> RowLosses:
        scores, labels = self.problem.scores[rows].astype(np.float64), self.problem.labels[rows]
        with np.errstate(all="ignore"):
            return row_losses(self.mapping, scores, labels, False, LossOptions(), xp, gradient)

    def _values(self, operation: Operation) -> np.ndarray:
        """The values of `self.rows`, (rows, K) or (rows, 1)."""
        if operation.quantity == "loss_and_grad":
            gradient = np.asarray(self._losses(self.rows, gradient=True).gradient)
            return gradient / len(self.problem.scores)
        quantity = "log_partition" if operation.quantity == "logsumexp" else operation.quantity
        with np.errstate(all="ignore"):
            point = self.mapping.at(self.problem.scores[self.rows].astype(np.float64), xp)
            return np.asarray(getattr(point, quantity)()).reshape(len(self.rows), -1)
