"""Checks the vector–Jacobian products of p and log p against central differences of the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from lastlayer.checks import oracles
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import absolute_error
from lastlayer.checks.rows import score_rows
from lastlayer.mappings import ProbabilityMapping

#: Relative to max |v| · max(1, the largest entry). Central differences of the oracle are far more exact than this.
TOLERANCE = 8 * 2.0**-52
KINDS = ("random", "two classes", "around minus one")


def check_vjp(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Σᵢ vᵢ ∂pᵢ/∂xₖ for random v of both signs, within 8 eps of max |v|·max(1, the largest entry)."""
    mp = oracles.context(mapping)
    for kind in KINDS:
        rows = score_rows(mapping, np.dtype(np.float64))[kind][:3]
        _compare(
            mapping, backend, "vjp", rows, lambda p, v: mp.fsum(a * b for a, b in zip(v, p, strict=True)), TOLERANCE
        )


def check_log_vjp(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Σᵢ vᵢ ∂log pᵢ/∂xₖ over the classes with p > 0, within 32 eps on the same scale."""
    mp = oracles.context(mapping)

    def pulled(p: list[Any], v: list[Any]) -> Any:
        return mp.fsum(a * mp.log(b) for a, b in zip(v, p, strict=True) if b > 0)

    rows = score_rows(mapping, np.dtype(np.float64))["random"][:3]
    _compare(mapping, backend, "log_vjp", rows, pulled, 4 * TOLERANCE)


def _compare(
    mapping: ProbabilityMapping,
    backend: Backend,
    product: str,
    rows: np.ndarray,
    pulled: Callable[[list[Any], list[Any]], Any],
    tolerance: float,
) -> None:
    """Compare a method of `Point` with central differences of `pulled(p, v)`."""
    mp = oracles.context(mapping)
    cotangents = np.random.default_rng(3).normal(size=rows.shape)
    scores = backend.to_array(rows)
    xp = array_namespace(scores)
    with np.errstate(all="ignore"):
        point = mapping.at(scores, xp)
        got = backend.to_numpy(getattr(point, product)(backend.to_array(cotangents)))
        if mapping.tangent is not None and product == "vjp":
            _check_tangent(mapping, backend, point.probabilities(), cotangents, got, xp)
    for row, v, products in zip(rows, cotangents, got, strict=True):
        function = partial(_pulled_at, mapping, pulled, oracles.exact_row(v, mp))
        exact = oracles.central_difference(function, row, mp)
        size = float(np.abs(v).max()) * max(1.0, *(abs(float(e)) for e in exact))
        for k, (a, b) in enumerate(zip(products, exact, strict=True)):
            assert absolute_error(a, b) <= tolerance * size, (
                f"{mapping.label} [{backend.name}]: {product} {k} of {row!r}, v = {v!r}: got {a!r}, the truth is {float(b)!r}"
            )


def _check_tangent(
    mapping: ProbabilityMapping, backend: Backend, p: Any, cotangents: np.ndarray, products: np.ndarray, xp: Any
) -> None:
    """Check that the record's `tangent` s gives the same product, s·(v − Σ s v / Σ s), from p alone."""
    assert mapping.tangent is not None
    s = backend.to_numpy(mapping.tangent(p, xp, **mapping.values))
    total = s.sum(axis=-1, keepdims=True)
    mean = (s * cotangents).sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1.0)
    off = np.abs(s * (cotangents - mean) - products)
    # At the edge of a support p has few digits, and so has s.
    assert (off <= 1e-9 * np.abs(cotangents).max()).all(), (
        f"{mapping.label} [{backend.name}]: the record's tangent gives vjp {s * (cotangents - mean)!r}, the point {products!r}"
    )


def _pulled_at(
    mapping: ProbabilityMapping, pulled: Callable[[list[Any], list[Any]], Any], v: list[Any], scores: list[Any]
) -> Any:
    return pulled(mapping.oracle(scores, oracles.context(mapping), **mapping.values), v)
