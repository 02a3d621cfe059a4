"""PyTorch on the CPU: results with `out=` where we have it, the loss without autograd, the gradient by forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, loss, loss_and_values, values
from lastlayer.benchmark.problem import Problem


def _elementwise(function: Callable[..., Any]) -> Callable[[Operation, Problem], Call]:
    def prepare(operation: Operation, problem: Problem) -> Call:
        x, out = torch.from_numpy(problem.scores), torch.from_numpy(problem.out)
        run = (lambda: function(x, -1)) if operation.fresh else (lambda: function(x, -1, out=out))
        return Call(run, values)

    return prepare


def _logsumexp(operation: Operation, problem: Problem) -> Call:
    x = torch.from_numpy(problem.scores)
    return Call(lambda: torch.logsumexp(x, -1), values)


def _cross_entropy(operation: Operation, problem: Problem) -> Call:
    x, labels = torch.from_numpy(problem.scores), torch.from_numpy(problem.labels)

    def run() -> torch.Tensor:
        with torch.no_grad():
            return functional.cross_entropy(x, labels)

    return Call(run, loss)


def forward_and_backward(function: Callable[..., torch.Tensor], problem: Problem) -> Call:
    """A loss of (scores, labels) and its gradient, which torch writes to new memory every time."""
    leaf, labels = torch.from_numpy(problem.scores).requires_grad_(), torch.from_numpy(problem.labels)

    def run() -> tuple[float, torch.Tensor | None]:
        leaf.grad = None
        value = function(leaf, labels)
        torch.autograd.backward(value)
        return value.item(), leaf.grad

    return Call(run, loss_and_values)


_CALLS: dict[str, Callable[[Operation, Problem], Call]] = {
    "softmax": _elementwise(torch.softmax),
    "log_softmax": _elementwise(torch.log_softmax),
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": lambda operation, problem: forward_and_backward(functional.cross_entropy, problem),
}


def _prepare(operation: Operation, problem: Problem) -> Call | None:
    make = _CALLS.get(operation.computes)
    return None if make is None else make(operation, problem)


@contextmanager
def session(threads: int, dtype: np.dtype) -> Iterator[None]:
    """torch with this number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


PEER = Peer("torch", torch.__version__, _prepare, session)
