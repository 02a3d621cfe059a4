"""SciPy: softmax, log_softmax, logsumexp, and the loss as logsumexp minus the label's score. One thread, fresh results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import scipy
from scipy.special import log_softmax, logsumexp, softmax

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, loss, values
from lastlayer.benchmark.problem import Problem


def _cross_entropy(problem: Problem) -> Call:
    x, labels = problem.scores, problem.labels
    rows = np.arange(len(labels))
    return Call(lambda: np.mean(logsumexp(x, axis=-1) - x[rows, labels]), loss)


def _of(function: Callable[..., Any]) -> Callable[[Problem], Call]:
    return lambda problem: Call(lambda: function(problem.scores, axis=-1), values)


_CALLS: dict[str, Callable[[Problem], Call]] = {
    "softmax": _of(softmax),
    "log_softmax": _of(log_softmax),
    "logsumexp": _of(logsumexp),
    "cross_entropy": _cross_entropy,
}


def _prepare(operation: Operation, problem: Problem) -> Call | None:
    make = _CALLS.get(operation.computes)
    return None if make is None else make(problem)


PEER = Peer("scipy", scipy.__version__, _prepare, lambda threads, dtype: nullcontext())
