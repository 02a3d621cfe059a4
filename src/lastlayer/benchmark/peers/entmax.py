"""The entmax package, on torch: sparsemax and entmax-1.5 by sorting, and their Fenchel–Young losses."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from entmax import Entmax15Loss, SparsemaxLoss, entmax15, sparsemax

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, values
from lastlayer.benchmark.peers.torch import forward_and_backward, session
from lastlayer.benchmark.problem import Problem


def _probabilities(function: Callable[..., Any]) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        x = torch.from_numpy(problem.scores)

        def run() -> torch.Tensor:
            with torch.no_grad():
                return function(x, dim=-1)

        return Call(run, values)

    return prepare


_CALLS: dict[str, Callable[[Problem], Call]] = {
    "sparsemax": _probabilities(sparsemax),
    "sparsemax_loss_grad": lambda problem: forward_and_backward(SparsemaxLoss(), problem),
    "entmax": _probabilities(entmax15),
    "entmax_loss_grad": lambda problem: forward_and_backward(Entmax15Loss(), problem),
}


def _prepare(operation: Operation, problem: Problem) -> Call | None:
    make = _CALLS.get(operation.computes)
    return None if make is None else make(problem)


PEER = Peer("entmax", version("entmax"), _prepare, session)
