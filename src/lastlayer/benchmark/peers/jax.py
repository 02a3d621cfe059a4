"""JAX on the CPU, each operation compiled alone, on its own array; results are always fresh."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer, Result, loss, loss_and_values, values
from lastlayer.benchmark.problem import Problem


def _cross_entropy(x: Any, labels: Any) -> Any:
    """The mean of logsumexp minus the label's score: of the usual ways to write it the one that XLA's CPU runs fastest."""
    chosen = jnp.take_along_axis(x, labels[:, None], axis=-1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(x, axis=-1) - chosen)


#: Compiled once for each shape and dtype.
_CALLS: dict[str, tuple[Callable[..., Any], Callable[[Any], Result]]] = {
    "softmax": (jax.jit(lambda x, labels: jax.nn.softmax(x, axis=-1)), values),
    "log_softmax": (jax.jit(lambda x, labels: jax.nn.log_softmax(x, axis=-1)), values),
    "logsumexp": (jax.jit(lambda x, labels: jax.nn.logsumexp(x, axis=-1)), values),
    "cross_entropy": (jax.jit(_cross_entropy), loss),
    "cross_entropy_grad": (jax.jit(jax.value_and_grad(_cross_entropy)), loss_and_values),
}


def _prepare(operation: Operation, problem: Problem) -> Call | None:
    if operation.computes not in _CALLS:
        return None
    function, read = _CALLS[operation.computes]
    cpu = jax.devices("cpu")[0]
    x = jax.device_put(problem.scores, cpu)
    labels = jax.device_put(problem.labels.astype(np.int32), cpu)
    return Call(lambda: jax.block_until_ready(function(x, labels)), read)


@contextmanager
def _session(threads: int, dtype: np.dtype) -> Iterator[None]:
    """float64 must be asked for; the number of threads is read once, when JAX's CPU backend starts."""
    os.environ.setdefault("PJRT_NPROC", str(threads))
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", dtype == np.float64)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


PEER = Peer("jax", jax.__version__, _prepare, _session)
