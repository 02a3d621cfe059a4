"""The array libraries that the boundary takes, as the tests of this folder walk them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import torch


class Library(NamedTuple):
    """A library: NumPy array → its array with the dtype kept, and back, within a context that the calls need."""

    name: str
    make: Callable[[np.ndarray], Any]
    back: Callable[[Any], np.ndarray]
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    #: Dtypes that the library does not have.
    lacks: tuple[str, ...] = ()


def make_torch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


NUMPY = Library("numpy", lambda x: x, np.asarray)
TORCH = Library("torch", make_torch, lambda x: x.detach().numpy())
STRICT = Library("array_api_strict", array_api_strict.asarray, lambda x: np.asarray(x._array), lacks=("float16",))
#: JAX as it comes, without 64-bit numbers, and with them.
JAX = Library("jax", jnp.asarray, np.asarray, lacks=("int64", "uint64", "float64"))
JAX_X64 = Library("jax with x64", jnp.asarray, np.asarray, lambda: jax.enable_x64(True))
LIBRARIES = (NUMPY, TORCH, STRICT, JAX, JAX_X64)


def names(libraries: Sequence[Library]) -> list[str]:
    return [library.name for library in libraries]
