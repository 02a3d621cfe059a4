"""log p is −inf exactly where p is 0, and ln p elsewhere: for kernels, formulas, torch, array-api-strict and JAX."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from running import IS_NIGHTLY

import lastlayer as ll
from lastlayer.backends import PORTABLE
from lastlayer.checks.accuracy import bound, compare_with_logarithms
from lastlayer.checks.rows import into_domain, score_rows

NAMES = (*ll.MAPPINGS, "taylor:order=6", "entmax:alpha=1", "entmax:alpha=1.3", "entmax:alpha=2", "entmax:alpha=3")
DTYPES = ("float16", "float32", "float64")
#: Ordinary rows, the edge of a support, both ends of the number range, and many classes; all kinds in `make nightly`.
ON_THE_STRICT_LIBRARY = (
    "random", "two classes", "peaked", "edge of a support", "subnormal", "huge", "130 classes of scale 1.0"
)  # fmt: skip


def kinds_of_rows(mapping: ll.ProbabilityMapping, dtype: str) -> Iterator[tuple[str, np.ndarray]]:
    """The rows of the contract, and rows of many classes with none, a few or many of them off the support."""
    yield from score_rows(mapping, np.dtype(dtype)).items()
    rng = np.random.default_rng(30)
    for classes in (3, 17, 130, 1000):
        for scale in (0.01, 1.0, 30.0)[: 3 if classes < 1000 else 1]:
            rows = scale * rng.normal(size=(4, classes))
            yield f"{classes} classes of scale {scale}", into_domain(mapping, rows.astype(dtype))


def both(of_rows: Any, mapping: ll.ProbabilityMapping) -> Any:
    """Turn a function of rows and a quantity's name into one that returns p and log p as NumPy arrays."""
    return lambda rows: [np.asarray(of_rows(mapping, rows, name)) for name in ("probabilities", "log_probabilities")]


def by_calls(to_array: Any, to_numpy: Any = np.asarray) -> Any:
    def of_rows(mapping: ll.ProbabilityMapping, rows: np.ndarray, name: str) -> np.ndarray:
        return to_numpy(getattr(ll, name)(to_array(rows), mapping=mapping, on_domain="nan"))

    return of_rows


def check_support(
    mapping: ll.ProbabilityMapping, results: Any, where: str, dtypes: tuple[str, ...] = DTYPES, kinds: Any = None
) -> None:
    for dtype in dtypes:
        limit = bound(mapping, np.dtype(dtype)) if mapping.budget.kind == "ulp" else 1.0
        for kind, rows in kinds_of_rows(mapping, dtype):
            if kinds is not None and kind not in kinds:
                continue
            p, logs = results(rows)
            assert p.dtype == logs.dtype == dtype, (where, p.dtype, logs.dtype)
            compare_with_logarithms(p, logs, limit, f"{where} [{kind}, {dtype}]")


@pytest.mark.parametrize("name", NAMES)
def test_kernels_and_torch(name):
    mapping = ll.resolve_mapping(name)
    check_support(mapping, both(by_calls(lambda rows: rows), mapping), f"{name}, numpy")
    check_support(mapping, both(by_calls(lambda rows: torch.from_numpy(rows.copy())), mapping), f"{name}, torch")


@pytest.mark.parametrize("name", NAMES)
def test_formulas(name):
    mapping = ll.resolve_mapping(name)
    check_support(mapping, both(PORTABLE.evaluate, mapping), f"{name}, formulas")


@pytest.mark.parametrize("name", NAMES)
def test_formulas_on_the_strict_library(name):
    strict = pytest.importorskip("array_api_strict", reason="pip install array-api-strict")
    mapping = ll.resolve_mapping(name)
    results = both(by_calls(strict.asarray, lambda x: np.asarray(x._array)), mapping)
    # The library computes in NumPy, where the formulas keep this on all rows; it is slow, and only strict about calls.
    dtypes, kinds = (DTYPES[1:], None) if IS_NIGHTLY else (DTYPES[2:], ON_THE_STRICT_LIBRARY)
    check_support(mapping, results, f"{name}, strict", dtypes, kinds)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install jax")
@pytest.mark.parametrize("name", ["softmax", "ratio", "hardmax", "sparsemax", "entmax", "entmax:alpha=3"])
def test_formulas_on_jax(name):
    import jax

    mapping = ll.resolve_mapping(name)
    with jax.enable_x64(True):
        # One kind of rows only: eager JAX compiles every operation for every shape, which takes seconds.
        check_support(
            mapping, both(by_calls(jax.numpy.asarray), mapping), f"{name}, JAX", ("float64",), ("edge of a support",)
        )
