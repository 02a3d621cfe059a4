"""A contender: how it is called on a problem, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.problem import Problem


class Result(NamedTuple):
    """What was computed, as NumPy arrays: probabilities or their logarithms or a gradient (N, K), or logsumexp (N,); a loss."""

    values: np.ndarray | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Call:
    """The call that is timed, which returns when the work is done, and how its result is read."""

    run: Callable[[], Any]
    read: Callable[[Any], Result]


@dataclass(frozen=True)
class Peer:
    """One library. `prepare` gives the call for an operation, or None where the library has none."""

    name: str
    version: str
    prepare: Callable[[Operation, Problem], Call | None]
    #: (threads, dtype) → a context in which the library computes with them; it leaves no trace.
    session: Callable[[int, np.dtype], AbstractContextManager[None]]


def values(array: Any) -> Result:
    """Read a result that is one array."""
    return Result(values=np.asarray(array))


def loss(value: Any) -> Result:
    """Read a result that is one number."""
    return Result(loss=float(value))


def loss_and_values(pair: tuple[Any, Any]) -> Result:
    """Read a loss and a gradient."""
    return Result(loss=float(pair[0]), values=np.asarray(pair[1]))
