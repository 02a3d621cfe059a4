"""lastlayer itself, called as a user calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, loss, loss_and_values, values
from lastlayer.benchmark.problem import Problem
from lastlayer.functions import (
    log_probabilities,
    logsumexp,
    loss_and_grad,
    probabilities,
    set_num_threads,
    show_config,
)
from lastlayer.functions import loss as loss_of


def _prepare(operation: Operation, problem: Problem) -> Call:
    x, labels, name = problem.scores, problem.labels, operation.mapping.label
    out = None if operation.fresh else problem.out
    return {
        "probabilities": Call(lambda: probabilities(x, mapping=name, out=out), values),
        "log_probabilities": Call(lambda: log_probabilities(x, mapping=name, out=out), values),
        "logsumexp": Call(lambda: logsumexp(x), values),
        "loss": Call(lambda: loss_of(x, labels, mapping=name), loss),
        "loss_and_grad": Call(lambda: loss_and_grad(x, labels, mapping=name, out=out), loss_and_values),
    }[operation.quantity]


@contextmanager
def _session(threads: int, dtype: np.dtype) -> Iterator[None]:
    before = show_config()["threads"]
    set_num_threads(threads)
    try:
        yield
    finally:
        set_num_threads(before)


OURS = Peer("lastlayer", show_config()["version"], _prepare, _session)
