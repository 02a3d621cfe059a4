"""Newton systems without their matrix: preconditioned conjugate gradients that notice negative curvature."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.problem import Floats


class Step(NamedTuple):
    """A solution of H·step = right-hand side, as far as it went."""

    step: Floats
    #: Whether a direction along which H curves down ended the iteration.
    is_curved_down: bool
    #: Products with H that it took.
    products: int


def conjugate_gradients(
    multiply: Callable[[Floats], Floats],
    right_hand_side: Floats,
    precondition: Callable[[Floats], Floats],
    *,
    rtol: float,
    max_iter: int,
) -> Step:
    """Solve H s = r to a preconditioned residual of `rtol` times the first one.

    Where H curves down along a search direction the iterate so far is returned (Steihaug 1983), or that direction itself
    when it is the first one. Both are directions of descent for a model with gradient −r.
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
