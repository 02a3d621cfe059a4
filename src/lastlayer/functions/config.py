"""What serves what: instruction set, threads, implementations."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from lastlayer.arguments import as_integer
from lastlayer.dispatch import implementations, instruction_set, num_threads, why_missing
from lastlayer.dispatch import set_num_threads as set_kernel_threads
from lastlayer.version import __version__


def show_config() -> dict[str, Any]:
    """What this installation computes with.

    Returns:
        version, python, numpy, machine, native_kernels (their instruction set, or why there are none), their threads, and
        the implementations in the order in which they are asked, each with what it serves.

    >>> show_config()["implementations"][-1]["name"]
    'portable'
    """
    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "native_kernels": instruction_set() or f"none: {why_missing()}",
        "threads": num_threads(),
        "implementations": [{"name": entry.name, "serves": entry.description} for entry in implementations()],
    }


def set_num_threads(n: int) -> None:
    """Set the number of threads of the native kernels. The portable formulas run on the caller's own thread.

    More than four for each processor (64 on a machine with few) are taken as that many, here and from OMP_NUM_THREADS;
    `show_config` says how many there are. Where the system starts fewer, those compute.

    Raises:
        TypeError: n is not an integer.
        ValueError: n is below 1.
    """
    n = as_integer("n", n, "a whole number of threads")
    if n < 1:
        raise ValueError(f"n is {n}; give at least 1 thread.")
    set_kernel_threads(n)
