"""Newton's method for a convex loss of a few parameters, with a quadratic penalty towards the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

#: A step that promises to lower the sum of the losses by less than this is the last: it is 1e-4 standard errors of the parameters.
ENOUGH = 1e-8
MOST_STEPS = 100
#: A step must lower the loss by this share of what its slope promises.
ARMIJO = 1e-4


@dataclass(frozen=True)
class Quadratic:
    """The sum of the losses at some parameters: its value, gradient and Hessian."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


def newton(
    at: Callable[[np.ndarray], Quadratic],
    start: np.ndarray,
    anchor: np.ndarray,
    penalty: np.ndarray,
    *,
    rounding: float,
    first_is_positive: bool = False,
) -> np.ndarray:
    """Minimize loss(θ) + ½ Σ penalty_j (θ_j − anchor_j)² from θ = start.

    The penalty is that of one row: with it every class has a finite bias, whether or not it has a row. A step is halved until it
    lowers the loss by more than its relative `rounding`, and until the first parameter is positive, if it must be.
    """
    theta = start.copy()
    now = _penalised(at(theta), theta - anchor, penalty)
    for _ in range(MOST_STEPS):
        step = -_solve(now.hessian, now.gradient)
        slope = float(now.gradient @ step)
        if -slope < 2 * ENOUGH:
            break
        length = 1.0
        if first_is_positive and theta[0] + step[0] <= 0.0:
            length = -0.9 * theta[0] / step[0]
        new = _penalised(at(theta + length * step), theta + length * step - anchor, penalty)
        while not _is_lower(new, now.value + ARMIJO * length * slope + rounding * abs(now.value)):
            length /= 2.0
            if length < 1e-10:
                return theta
            new = _penalised(at(theta + length * step), theta + length * step - anchor, penalty)
        theta, now = theta + length * step, new
    return theta


def _is_lower(new: Quadratic, bound: float) -> bool:
    """Whether a step gives a finite place whose loss is at most `bound`."""
    return new.value <= bound and bool(np.isfinite(new.gradient).all() and np.isfinite(new.hessian).all())


def _penalised(loss: Quadratic, moved: np.ndarray, penalty: np.ndarray) -> Quadratic:
    return Quadratic(
        loss.value + 0.5 * float(penalty @ moved**2),
        loss.gradient + penalty * moved,
        loss.hessian + np.diag(penalty),
    )


def _solve(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """H⁻¹ g; a direction in which the loss is flat, as that of constant scores, is left alone."""
    ridge = 1e-12 * max(float(np.max(np.diagonal(hessian))), 1e-300)
    shifted = hessian + ridge * np.eye(len(hessian))
    try:
        return np.asarray(linalg.cho_solve(linalg.cho_factor(shifted), gradient))
    except linalg.LinAlgError:
        return np.asarray(linalg.lstsq(hessian, gradient, cond=1e-10)[0])
