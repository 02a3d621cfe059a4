"""Constraints on the intercepts, which fix the direction that an L2 penalty on the weights leaves free."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.problem import Floats


class InterceptConstraint(NamedTuple):
    """Intercepts b (K,) as a function of unconstrained variables v (K,)."""

    #: v → b. If v already obeys the constraint, b is v.
    impose: Callable[[Floats], Floats]
    #: (v, ∂/∂b) → ∂/∂v.
    pull_back: Callable[[Floats, Floats], Floats]
    #: Whether b = 0 violates the constraint, so that a model needs intercepts.
    needs_intercept: bool


def _onto_sphere(v: Floats) -> Floats:
    return v / np.linalg.norm(v)


def _along_sphere(v: Floats, gradient: Floats) -> Floats:
    """The gradient in v: b = v/‖v‖ has the Jacobian (I − bbᵀ)/‖v‖."""
    length = np.linalg.norm(v)
    b = v / length
    return (gradient - b * (b @ gradient)) / length


def _centred(v: Floats) -> Floats:
    return v - v.mean()


#: Keys are the values of a record's `linear.intercept_constraint`.
INTERCEPT_CONSTRAINTS: dict[str, InterceptConstraint] = {
    "none": InterceptConstraint(lambda v: v, lambda v, gradient: gradient, needs_intercept=False),
    "sum_to_zero": InterceptConstraint(_centred, lambda v, gradient: _centred(gradient), needs_intercept=False),
    "sum_to_one": InterceptConstraint(
        lambda v: _centred(v) + 1.0 / v.size, lambda v, gradient: _centred(gradient), needs_intercept=True
    ),
    "unit_norm": InterceptConstraint(_onto_sphere, _along_sphere, needs_intercept=True),
}
