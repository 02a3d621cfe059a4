"""Compares with jax.nn and jax.scipy.special. JAX's wheel has no tests, so the samples are ours, from what JAX documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from verdict import Suite

import lastlayer as ll

NAME = "jax.nn"


def run() -> Iterator[Suite]:
    """softmax, log_softmax and logsumexp for several dtypes, ranks and axes, with and without jit, and their gradients."""
    import jax
    import jax.numpy as jnp

    pairs: dict[str, tuple[Any, Any]] = {
        "softmax": (ll.softmax, jax.nn.softmax),
        "log_softmax": (ll.log_softmax, jax.nn.log_softmax),
        "logsumexp": (ll.logsumexp, jax.scipy.special.logsumexp),
    }
    rng = np.random.default_rng(0)
    for name, (ours, theirs) in pairs.items():
        suite = Suite(f"jax {name} (our samples)")
        for dtype in ("float32", "bfloat16", "float16", "int32"):
            for shape in ((4,), (1,), (2, 3, 4)):
                for axis in range(-1, len(shape)):
                    for is_jitted in (False, True):
                        x = jnp.asarray(rng.normal(size=shape) * 3).astype(dtype)
                        sample = f"{dtype} {shape} axis {axis}{' jit' * is_jitted}"
                        work = _work(suite, ours, theirs, x, axis, is_jitted)
                        suite.trial(sample, work)
        yield suite


def _work(suite: Suite, ours: Any, theirs: Any, x: Any, axis: int, is_jitted: bool) -> Any:
    import jax

    def work() -> None:
        mine, other = (lambda z: ours(z, axis=axis)), (lambda z: theirs(z, axis=axis))
        if is_jitted:
            mine = jax.jit(mine)
        got, expected = np.asarray(mine(x)), np.asarray(other(x))
        tolerance = {"float32": 2e-6, "int32": 2e-6, "bfloat16": 2e-2, "float16": 2e-3}[str(x.dtype)]
        np.testing.assert_allclose(got.astype("f8"), expected.astype("f8"), rtol=tolerance, atol=tolerance)
        if str(x.dtype) == "float32":
            v = np.linspace(-1, 1, expected.size).reshape(expected.shape).astype("f4")
            a, b = (jax.grad(lambda z, f=f: (f(z) * v).sum())(x) for f in (mine, other))
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)

    return work
