"""Constraints on the intercepts, which fix the direction that an L2 penalty on the weights leaves free.

The intercepts are b = eᵀθ (K,) for θ (D, K); e is the last unit vector unless features were centred (`coordinates.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.problem import Floats


class InterceptConstraint(NamedTuple):
    """θ as a function of unconstrained variables of the same shape."""

    #: (θ, e) → φ whose intercepts obey the constraint. If those of θ already do, φ is θ.
    impose: Callable[[Floats, Floats], Floats]
    #: (θ, e, φ, ∂/∂φ) → ∂/∂θ.
    pull_back: Callable[[Floats, Floats, Floats, Floats], Floats]
    #: Whether b = 0 violates the constraint, so that a model needs intercepts.
    needs_intercept: bool


def _centred(theta: Floats, e: Floats) -> Floats:
    moved = theta.copy()
    moved[-1] -= np.mean(e.T @ theta)
    return moved


def _pull_centred(theta: Floats, e: Floats, phi: Floats, gradient: Floats) -> Floats:
    return gradient - e * np.mean(gradient[-1])


def _on_sphere(theta: Floats, e: Floats) -> Floats:
    return theta / np.linalg.norm(e.T @ theta)


def _pull_from_sphere(theta: Floats, e: Floats, phi: Floats, gradient: Floats) -> Floats:
    """φ = θ/n with n = ‖b‖ and ∂n/∂θ = e bᵀ/n."""
    b = e.T @ theta
    n = float(np.linalg.norm(b))
    return (gradient - float(np.vdot(gradient, phi)) * (e @ (b / n))) / n


def _on_plane(theta: Floats, e: Floats) -> Floats:
    return theta / np.sum(e.T @ theta)


def _pull_from_plane(theta: Floats, e: Floats, phi: Floats, gradient: Floats) -> Floats:
    """φ = θ/n with n = Σb and ∂n/∂θ = e 1ᵀ."""
    return (gradient - float(np.vdot(gradient, phi)) * e) / float(np.sum(e.T @ theta))


#: Keys are the values of a record's `linear.intercept_constraint`. The last two scale all of θ, not b alone: where the scale
#: of the scores changes nothing, the fit then depends on the direction of θ only, and large weights are as easy as small ones.
INTERCEPT_CONSTRAINTS: dict[str, InterceptConstraint] = {
    "none": InterceptConstraint(
        lambda theta, e: theta, lambda theta, e, phi, gradient: gradient, needs_intercept=False
    ),
    "sum_to_zero": InterceptConstraint(_centred, _pull_centred, needs_intercept=False),
    "sum_to_one": InterceptConstraint(_on_plane, _pull_from_plane, needs_intercept=True),
    "unit_norm": InterceptConstraint(_on_sphere, _pull_from_sphere, needs_intercept=True),
}
