"""What computes here: instruction set, threads, and the backend of every array library."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from lastlayer.arguments import as_integer
from lastlayer.backends import instruction_set, num_threads, why_missing
from lastlayer.backends import set_num_threads as set_kernel_threads
from lastlayer.dispatch import backends
from lastlayer.version import __version__


def show_config() -> dict[str, Any]:
    """What this installation computes with.

    Returns:
        version, python, numpy, machine, native_kernels (their instruction set, or why there are none), their threads, and
        the backends: each with its name, its arrays, what computes them, and the packages that it needs.

    >>> [backend["name"] for backend in show_config()["backends"]]
    ['numpy', 'torch cpu', 'torch cuda', 'jax', 'portable']
    """
    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "native_kernels": instruction_set() or f"none: {why_missing()}",
        "threads": num_threads(),
        "backends": backends(),
    }


def set_num_threads(n: int) -> None:
    """Set the number of threads of the native kernels. The portable formulas run on the caller's thread.

    At most four per processor are used (64 on a machine with few), here and for OMP_NUM_THREADS; `show_config` says how many there
    are. If the system cannot start them all, those that started compute.

    Raises:
        TypeError: n is not an integer.
        ValueError: n is below 1.
    """
    n = as_integer("n", n, "a whole number of threads")
    if n < 1:
        raise ValueError(f"n is {n}; give at least 1 thread.")
    set_kernel_threads(n)
