"""Runs the tests and samples of peers on lastlayer, and prints a table of counts per suite.

    python benchmarks/suites/run.py [torch scipy entmax optax jax]

Each sample is equal, a difference named by a row of docs/deviations.md, not applicable for a named reason, or a wrong value.
The exit status is 1 if there is a wrong value or a difference that no row names. A peer that is not installed is reported as
skipped. PyTorch's OpInfo samples and module inputs, and the tests of SciPy, entmax and optax, come from their wheels. JAX's
wheel has no tests, so its functions are compared on samples of ours. Liger and cut-cross-entropy have no tests in their wheels
and need a GPU; benchmarks/linear.py checks and times them there.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import entmax_tests
import jax_samples
import optax_tests
import pytest_suite
import scipy_tests
import torch_samples
from verdict import Suite

SUITES = {
    "torch": torch_samples.run,
    "scipy": lambda: pytest_suite.run(scipy_tests),
    "entmax": lambda: pytest_suite.run(entmax_tests),
    "optax": lambda: pytest_suite.run(optax_tests),
    "jax": jax_samples.run,
}


def main(names: list[str]) -> int:
    """Run the named suites, or all; 1 if a value is wrong or a difference is not documented."""
    warnings.simplefilter("ignore")
    wrong: list[str] = []
    for name in names or SUITES:
        for suite in _present(name):
            print(suite.table(), flush=True)
            wrong += suite.wrong
    for line in wrong:
        print(f"WRONG VALUE {line}", file=sys.stderr)
    return 1 if wrong else 0


def _present(name: str) -> Iterator[Suite]:
    try:
        yield from SUITES[name]()
    except ImportError as missing:
        print(f"{name:<28}skipped: {missing}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
