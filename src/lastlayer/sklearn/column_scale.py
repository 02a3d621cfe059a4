"""Scales columns whose squares overflow or underflow in float32 or float64 by a power of two, and the penalty with them.

With x' = 2⁻ᵉ·x and v = 2ᵉ·w the scores are the same, xw = x'v, and the penalty is λw² = 2⁻²ᵉλ·v². No digit is lost, since
multiplying by a power of two changes only exponents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Exponents = NDArray[np.int32]

#: Columns whose largest absolute value is between 2⁻⁵⁰ and 2⁵⁰ are not scaled: their squares fit into float32.
SAFE = 50
#: A larger penalty keeps a weight v below 2⁻⁶⁰, too small to change a float64 score: the column is dropped, its weight is 0.
LARGEST_PENALTY = 2.0**60
#: A smaller scaled penalty is raised to this (but not above λ): solvers divide by the penalty.
LEAST_PENALTY = 2.0**-50


def column_sizes(features: Any) -> Exponents:
    """(d,): the exponent e for which the largest |x|·2⁻ᵉ is in [½, 1); 0 for a column of zeros."""
    if sparse.issparse(features):
        largest = abs(features).max(axis=0).toarray().ravel()
    else:
        largest = np.maximum(features.max(axis=0), -features.min(axis=0))
    return np.asarray(np.frexp(largest)[1], dtype=np.int32)


def column_exponents(sizes: Exponents, penalty: float) -> Exponents:
    """(d,): the exponents to scale by; 0 for columns of a safe size.

    A small column is scaled up at most until its penalty 2⁻²ᵉλ is about 1; beyond that its curvature does not matter.
    """
    least = int(np.ceil(np.log2(penalty) / 2)) if penalty > 0 else -np.inf
    wanted = np.where(sizes < 0, np.minimum(np.maximum(sizes, least), 0), sizes)
    return np.where(np.abs(sizes) > SAFE, wanted, 0).astype(np.int32)


def scale_columns(features: Any, exponents: Exponents) -> Any:
    """2⁻ᵉ·x for every column."""
    if sparse.issparse(features):
        scaled = features.copy()
        scaled.data = np.ldexp(scaled.data, -exponents[scaled.indices])
        return scaled
    return np.ldexp(features, -exponents)


def without_columns(features: Any, is_dropped: NDArray[np.bool_]) -> Any:
    """The features with the dropped columns replaced by zeros."""
    if sparse.issparse(features):
        return (features @ sparse.diags_array((~is_dropped).astype(np.float64))).tocsr()
    return np.where(is_dropped, 0.0, features)


def scale_penalty(penalty: float, exponents: Exponents) -> NDArray[np.float64]:
    """(d,): 2⁻²ᵉ·λ, infinite if it overflows, and at least min(λ, `LEAST_PENALTY`)."""
    with np.errstate(over="ignore", under="ignore"):
        return np.maximum(np.ldexp(penalty, -2 * exponents), min(penalty, LEAST_PENALTY))


def unscale_weights(weights: NDArray[np.float64], exponents: Exponents) -> NDArray[np.float64]:
    """v (d, K) → w = 2⁻ᵉ·v."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(weights, -exponents[:, None]))


def rescale_weights(weights: NDArray[np.float64], exponents: Exponents) -> NDArray[np.float64]:
    """w (d, K) → v = 2ᵉ·w."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(weights, exponents[:, None]))
