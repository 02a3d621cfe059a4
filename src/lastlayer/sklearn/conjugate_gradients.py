"""Matrix-free Newton systems: preconditioned conjugate gradients that detect negative curvature."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.problem import Floats


class Step(NamedTuple):
    """An approximate solution of H·step = right-hand side."""

    step: Floats
    #: Whether the iteration ended at a direction of negative curvature.
    is_curved_down: bool
    #: The number of products with H.
    products: int


def conjugate_gradients(
    multiply: Callable[[Floats], Floats],
    right_hand_side: Floats,
    precondition: Callable[[Floats], Floats],
    *,
    rtol: float,
    max_iter: int,
) -> Step:
    """Solve H s = r until the preconditioned residual is `rtol` times the first one.

    If a search direction has negative curvature, the current iterate is returned (Steihaug 1983), or that direction if it
    is the first one. Both are directions of descent for a model with gradient −r.
    """
    step = np.zeros_like(right_hand_side)
    residual = right_hand_side.copy()
    direction = preconditioned = precondition(residual)
    size = first = _inner(residual, preconditioned)
    products = 0
    while size > 0 and products < max_iter:
        products += 1
        image = multiply(direction)
        curvature = _inner(direction, image)
        if curvature <= 0:
            return Step(step if step.any() else direction, True, products)
        length = size / curvature
        step = step + length * direction
        residual = residual - length * image
        preconditioned = precondition(residual)
        previous, size = size, _inner(residual, preconditioned)
        if size <= rtol**2 * first:
            break
        direction = preconditioned + (size / previous) * direction
    return Step(step, False, products)


def _inner(a: Floats, b: Floats) -> float:
    return float(np.vdot(a, b))
