"""L-BFGS with a weak Wolfe line search, which knows the decrease that its model of the objective predicts.

Sources: Liu & Nocedal 1989 (L-BFGS), Lewis & Overton 2013 (bisection for the weak Wolfe conditions).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from lastlayer.sklearn.problem import Floats

#: Pairs of steps and changes of the gradient that are kept.
MEMORY = 12
#: Conditions of a step: the share of the predicted decrease, and the share of the slope that may be left.
ENOUGH, FLAT = 1e-4, 0.9
#: The largest number of evaluations in one line search.
EVALUATIONS = 30

Objective = Callable[[Floats], tuple[float, Floats]]


class Verdict(Enum):
    """What the caller says after each iteration."""

    GO_ON = 0
    DONE = 1
    CUT_SHORT = 2


class Descent(NamedTuple):
    """Where a descent stopped."""

    point: Floats
    value: float
    gradient: Floats
    iterations: int
    evaluations: int
    #: How much lower the model says that the optimum is.
    predicted: float
    #: Whether no step decreased the objective any more.
    is_stuck: bool
    verdict: Verdict


def minimise(
    objective: Objective,
    start: Floats,
    *,
    judge: Callable[[Floats, Sequence[float], Floats, float], Verdict],
    max_iter: int,
    longest: float = np.inf,
) -> Descent:
    """Minimise from `start` (n,) until `judge(point, values so far, gradient, predicted decrease)` ends it.

    The variables should be scaled so that the Hessian is near the identity: the first step is the whole gradient, if that is not
    longer than `longest`, from which a line search starts.
    """
    point = start
    value, gradient = objective(point)
    pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)
    values, evaluations, is_stuck = [value], 1, False
    while True:
        step = _quasi_newton_step(pairs, gradient)
        slope = float(gradient @ step)
        verdict = judge(point, values, gradient, -0.5 * slope)
        if verdict is not Verdict.GO_ON or is_stuck or len(values) > max_iter:
            return Descent(point, value, gradient, len(values) - 1, evaluations, -0.5 * slope, is_stuck, verdict)
        size = float(np.linalg.norm(step))
        if size > longest:
            step, slope = step * (longest / size), slope * (longest / size)
        found = _search(objective, point, value, gradient, step, slope)
        evaluations += found.evaluations
        if found.length == 0.0:
            # Forget the model once; steepest descent may still find a way.
            is_stuck, pairs = not pairs, deque(maxlen=MEMORY)
            continue
        values.append(found.value)
        moved, change = found.length * step, found.gradient - gradient
        curvature = float(moved @ change)
        if curvature > 1e-10 * float(change @ change) or (curvature > 0 and not pairs):
            pairs.append((moved, change, curvature))
        point, value, gradient = point + moved, found.value, found.gradient


def _quasi_newton_step(pairs: deque[tuple[Floats, Floats, float]], gradient: Floats) -> Floats:
    """−H·gradient by the two loops of L-BFGS."""
    step = -gradient
    if not pairs:
        return step
    shares = []
    for moved, change, curvature in reversed(pairs):
        share = float(moved @ step) / curvature
        step = step - share * change
        shares.append(share)
    _, change, curvature = pairs[-1]
    step *= curvature / float(change @ change)
    for (moved, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        step += (share - float(change @ step) / curvature) * moved
    return step


class _Found(NamedTuple):
    length: float
    value: float
    gradient: Floats
    evaluations: int


def _search(objective: Objective, point: Floats, value: float, gradient: Floats, step: Floats, slope: float) -> _Found:
    """A length with enough decrease and less slope; the last one with enough decrease if there is none; 0 if even that fails."""
    low, high, length = 0.0, np.inf, 1.0
    best = _Found(0.0, value, gradient, 0)
    # The last term accepts steps whose gain is smaller than the rounding error of the value.
    slack = 1e-14 * abs(value)
    for count in range(1, EVALUATIONS + 1):
        new, new_gradient = objective(point + length * step)
        if not new <= value + ENOUGH * length * slope + slack:
            high = length
            # The minimum of the parabola through both values and the slope, if it is well inside.
            bend = new - value - length * slope
            inner = -0.5 * slope * length**2 / bend if bend > 0 else 0.0
            length = min(max(inner, 0.1 * length), 0.5 * length) if low == 0.0 else 0.5 * (low + high)
        elif float(new_gradient @ step) < FLAT * slope:
            best = _Found(length, new, new_gradient, count)
            low = length
            length = 2.0 * length if np.isinf(high) else 0.5 * (low + high)
        else:
            return _Found(length, new, new_gradient, count)
        if length < 1e-12:
            break
    return best._replace(evaluations=count)
