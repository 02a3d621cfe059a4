"""The vector–Jacobian products of p and log p against central differences of the oracle."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from lastlayer.checks import oracles
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import absolute_error
from lastlayer.checks.rows import score_rows
from lastlayer.mappings import ProbabilityMapping

#: Of Σ p|v| and the slope's own size; central differences on the oracle are far more exact than this.
TOLERANCE = 8 * 2.0**-52
KINDS = ("random", "two classes", "around minus one")


def check_vjp(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Σᵢ vᵢ ∂pᵢ/∂xₖ within 8 eps of |∂Z/∂xₖ|·(|vₖ| + Σ p|v|), for random v of both signs."""
    mp = oracles.context(mapping)
    for kind in KINDS:
        rows = score_rows(mapping, np.dtype(np.float64))[kind][:3]
        cotangents = np.random.default_rng(3).normal(size=rows.shape)
        scores = backend.to_array(rows)
        with np.errstate(all="ignore"):
            point = mapping.at(scores, array_namespace(scores))
            got = backend.to_numpy(point.vjp(backend.to_array(cotangents)))
        for row, v, products in zip(rows, cotangents, got, strict=True):

            def value(scores, v=v):  # type: ignore[no-untyped-def]
                return mp.fsum(
                    a * b
                    for a, b in zip(oracles.exact_row(v, mp), mapping.oracle(scores, mp, **mapping.values), strict=True)
                )

            exact = oracles.central_difference(value, row, mp)
            size = float(np.abs(v).max()) * max(1.0, *(abs(float(e)) for e in exact))
            for k, (a, b) in enumerate(zip(products, exact, strict=True)):
                assert absolute_error(a, b) <= TOLERANCE * size, (
                    f"{mapping.label} [{kind}, {backend.name}]: vjp {k} of {row!r}, v = {v!r}: got {a!r}, the truth is {float(b)!r}"
                )


def check_log_vjp(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Σᵢ vᵢ ∂log pᵢ/∂xₖ over the classes with p > 0."""
    mp = oracles.context(mapping)
    rows = score_rows(mapping, np.dtype(np.float64))["random"][:3]
    cotangents = np.random.default_rng(4).normal(size=rows.shape)
    scores = backend.to_array(rows)
    with np.errstate(all="ignore"):
        point = mapping.at(scores, array_namespace(scores))
        got = backend.to_numpy(point.log_vjp(backend.to_array(cotangents)))
    for row, v, products in zip(rows, cotangents, got, strict=True):
        alive = [bool(p > 0) for p in oracles.probabilities(mapping, row)]

        def value(scores, v=v, alive=alive):  # type: ignore[no-untyped-def]
            p = mapping.oracle(scores, mp, **mapping.values)
            return mp.fsum(a * mp.log(b) for a, b, on in zip(oracles.exact_row(v, mp), p, alive, strict=True) if on)

        exact = oracles.central_difference(value, row, mp)
        size = float(np.abs(v).max()) * max(1.0, *(abs(float(e)) for e in exact))
        for k, (a, b) in enumerate(zip(products, exact, strict=True)):
            assert absolute_error(a, b) <= 4 * TOLERANCE * size, (
                f"{mapping.label} [{backend.name}]: log vjp {k} of {row!r}, v = {v!r}: got {a!r}, the truth is {float(b)!r}"
            )
