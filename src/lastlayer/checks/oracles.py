"""Reference values in arbitrary precision: probabilities, losses with every option, and gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np

from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

#: Bits of precision. Normalized family: log p must be exact even for a class that leaves only 2^-1074 to the others.
#: Regularized family: fewer bits suffice, since its oracles only resolve scores near the largest; their root finders are slow.
PRECISION = {"normalized": 1400, "regularized": 240}
_CONTEXTS = {family: mpmath.MPContext() for family in PRECISION}
for _family, _bits in PRECISION.items():
    _CONTEXTS[_family].prec = _bits
#: Step of the central differences: large compared with the oracle's resolution, and its square is far below any budget.
STEP_BITS = 70


def context(mapping: ProbabilityMapping) -> Any:
    """The mpmath context in which the mapping's oracle runs."""
    return _CONTEXTS[mapping.family]


def exact_row(row: Sequence[Any] | np.ndarray, mp: Any) -> list[Any]:
    """Scores as exact numbers."""
    return [mp.mpf(float(score)) for score in row]


def probabilities(mapping: ProbabilityMapping, row: np.ndarray) -> list[Any]:
    """The oracle's probabilities of one row of scores."""
    return _answer(mapping.oracle, mapping, row)  # type: ignore[no-any-return]


def log_probabilities(mapping: ProbabilityMapping, row: np.ndarray) -> list[Any]:
    """The logarithms of the oracle's probabilities of one row of scores; −inf for 0."""
    return _cached_logarithms(mapping.oracle, tuple(mapping.values.items()), mapping.family, tuple(map(float, row)))


def log_partition(mapping: ProbabilityMapping, row: np.ndarray) -> Any:
    """The oracle's Z of one row of scores."""
    return _answer(mapping.log_partition_oracle, mapping, row)


def _answer(oracle: Callable[..., Any], mapping: ProbabilityMapping, row: np.ndarray) -> Any:
    return _cached_answer(oracle, tuple(mapping.values.items()), mapping.family, tuple(map(float, row)))


@lru_cache(maxsize=50_000)
def _cached_answer(oracle: Callable[..., Any], values: Any, family: str, row: tuple[float, ...]) -> Any:
    mp = _CONTEXTS[family]
    return oracle(exact_row(row, mp), mp, **dict(values))


@lru_cache(maxsize=50_000)
def _cached_logarithms(oracle: Callable[..., Any], values: Any, family: str, row: tuple[float, ...]) -> list[Any]:
    mp = _CONTEXTS[family]
    return [mp.log(p) if p else -mp.inf for p in _cached_answer(oracle, values, family, row)]


def loss(mapping: ProbabilityMapping, row: np.ndarray, target: Any, options: LossOptions) -> Any:
    """One row's loss; cached, since every backend needs the same values."""
    return _cached("loss", mapping, row, target, options, lambda: row_loss(
        mapping, exact_row(row, context(mapping)), target, options
    ))  # fmt: skip


def loss_gradient(mapping: ProbabilityMapping, row: np.ndarray, target: Any, options: LossOptions) -> list[Any]:
    """The gradient of `row_loss` in the scores; cached."""
    gradient: list[Any] = _cached("gradient", mapping, row, target, options, lambda: central_difference(
        lambda x: row_loss(mapping, x, target, options), row, context(mapping)
    ))  # fmt: skip
    return gradient


_CACHE: dict[Any, Any] = {}


def _cached(what: str, mapping: ProbabilityMapping, row: Any, target: Any, options: LossOptions, compute: Any) -> Any:
    key = (what, mapping.oracle, str(mapping.values), tuple(map(float, row)), str(target), str(options))
    if key not in _CACHE:
        _CACHE[key] = compute()
    return _CACHE[key]


def row_loss(mapping: ProbabilityMapping, scores: list[Any], target: Any, options: LossOptions) -> Any:
    """One row's loss by its definition. The precision is high enough that no cancellation matters.

    Args:
        scores: the row as exact numbers.
        target: a label, or a list of probabilities.
    """
    mp = context(mapping)
    classes = len(scores)
    y = [mp.mpf(int(k == target)) for k in range(classes)] if np.isscalar(target) else exact_row(target, mp)
    activation = options.activation
    if activation.softcap is not None:
        cap = mp.mpf(activation.softcap)
        scores = [cap * mp.tanh(score / cap) for score in scores]
    scores = [score / mp.mpf(activation.temperature) for score in scores]
    weight = [mp.mpf(1)] * classes if options.weight is None else exact_row(options.weight, mp)
    smooth = mp.mpf(options.label_smoothing)
    smoothed = [(1 - smooth) * t + smooth / classes for t in y]
    p = mapping.oracle(scores, mp, **mapping.values)
    if mapping.family == "normalized":
        value = -mp.fsum(w * t * mp.log(q) for w, t, q in zip(weight, smoothed, p, strict=True) if t)
    else:
        assert mapping.regularizer_oracle is not None
        conjugate = mp.fsum(q * s for q, s in zip(p, scores, strict=True)) - mapping.regularizer_oracle(
            p, mp, **mapping.values
        )
        fitted = mp.fsum(t * s for t, s in zip(smoothed, scores, strict=True))
        value = conjugate + mapping.regularizer_oracle(smoothed, mp, **mapping.values) - fitted
        value *= mp.fsum(w * t for w, t in zip(weight, y, strict=True))
    if options.z_loss:
        is_label = np.isscalar(target)
        share = mp.fsum(w * t for w, t in zip(weight, y, strict=True)) if is_label else mp.mpf(1)
        value += share * mp.mpf(options.z_loss) * mapping.log_partition_oracle(scores, mp, **mapping.values) ** 2
    return value


def central_difference(function: Callable[[list[Any]], Any], row: Sequence[Any] | np.ndarray, mp: Any) -> list[Any]:
    """∂f/∂xₖ for each k, as (f(x + h) − f(x − h)) / 2h."""
    scores = exact_row(row, mp)
    gradient = []
    for k, score in enumerate(scores):
        step = mp.ldexp(1, -STEP_BITS) * max(abs(score), mp.mpf(2) ** -20)
        up, down = ([*scores[:k], score + sign * step, *scores[k + 1 :]] for sign in (1, -1))
        gradient.append((function(up) - function(down)) / (2 * step))
    return gradient
