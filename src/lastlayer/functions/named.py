"""One function per built-in mapping, written out so that editors and type checkers see them."""

from __future__ import annotations

from typing import Any

from lastlayer.functions.probabilities import evaluate
from lastlayer.mappings.resolve import resolve_mapping

Array = Any


def softmax(scores: Array, *, axis: int = -1, out: Array | None = None) -> Array:
    """exp(xᵢ) / Σ exp(xⱼ), within the budget of `MAPPINGS["softmax"]` at any magnitude of the scores.

    Arguments and errors as for `probabilities`. Several +inf share the row equally; a row of −inf is NaN.

    >>> softmax([1.0, 0.5])
    array([0.62245933, 0.37754067])
    """
    return evaluate("probabilities", scores, "softmax", axis, out)


def log_softmax(scores: Array, *, axis: int = -1, out: Array | None = None) -> Array:
    """log softmax(x), accurate where it is nearly zero: log1p of the other classes, never log(1 − tiny).

    >>> import numpy as np
    >>> f"{log_softmax(np.float32([0, -17]))[0]:.5e}"
    '-4.13994e-08'
    """
    return evaluate("log_probabilities", scores, "softmax", axis, out)


def ratio(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """xᵢ / Σ xⱼ for scores ≥ 0 that are not all zero; otherwise DomainError, or NaN rows with on_domain="nan".

    >>> ratio([1.0, 0.5])
    array([0.66666667, 0.33333333])
    """
    return evaluate("probabilities", scores, "ratio", axis, out, on_domain)


def hardmax(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """All mass on the largest score; ties share equally.

    >>> hardmax([1.0, 2.0, 2.0])
    array([0. , 0.5, 0.5])
    """
    return evaluate("probabilities", scores, "hardmax", axis, out, on_domain)


def sparsemax(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """The Euclidean projection onto the simplex: max(0, xᵢ − τ), within 2 eps of the largest probability.

    >>> sparsemax([1.0, 0.5, -1.0])
    array([0.75, 0.25, 0.  ])
    """
    return evaluate("probabilities", scores, "sparsemax", axis, out, on_domain)


def entmax(
    scores: Array, alpha: Any = 1.5, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise"
) -> Array:
    """α-entmax: [(α − 1)xᵢ − τ]₊^(1/(α − 1)). α = 1 is softmax, 2 sparsemax.

    Args:
        scores: as for `probabilities`.
        alpha: a number ≥ 1, or one per row: an array of the scores' shape without the class axis.
        axis, out, on_domain: as for `probabilities`.

    >>> entmax([1.0, 0.0], alpha=1.5).round(4)
    array([0.8307, 0.1693])
    """
    return evaluate("probabilities", scores, resolve_mapping("entmax").replace(alpha=alpha), axis, out, on_domain)


def spherical(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """xᵢ² / Σ xⱼ² for scores that are not all zero.

    >>> spherical([1.0, -0.5])
    array([0.8, 0.2])
    """
    return evaluate("probabilities", scores, "spherical", axis, out, on_domain)


def taylor(
    scores: Array, order: int = 2, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise"
) -> Array:
    """The ratio of the exponential's Taylor polynomials of an even order: (1 + x + x²/2) / Σ for order 2.

    >>> taylor([1.0, 0.0]).round(4)
    array([0.7143, 0.2857])
    """
    mapping = resolve_mapping("taylor").replace(order=order)
    return evaluate("probabilities", scores, mapping, axis, out, on_domain)


def softplus_ratio(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """log(1 + e^xᵢ) / Σ log(1 + e^xⱼ).

    >>> softplus_ratio([0.0, 0.0])
    array([0.5, 0.5])
    """
    return evaluate("probabilities", scores, "softplus_ratio", axis, out, on_domain)


def sigmoid_ratio(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """σ(xᵢ) / Σ σ(xⱼ) with σ(x) = 1/(1 + e^(−x)).

    >>> sigmoid_ratio([0.0, float("inf")])
    array([0.33333333, 0.66666667])
    """
    return evaluate("probabilities", scores, "sigmoid_ratio", axis, out, on_domain)


def stablemax(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """g(xᵢ) / Σ g(xⱼ) with g(x) = x + 1 for x ≥ 0 and 1/(1 − x) below.

    >>> stablemax([1.0, -1.0])
    array([0.8, 0.2])
    """
    return evaluate("probabilities", scores, "stablemax", axis, out, on_domain)


def softmax_plus_one(scores: Array, *, axis: int = -1, out: Array | None = None, on_domain: str = "raise") -> Array:
    """exp(xᵢ) / (1 + Σ exp(xⱼ)): rows sum to less than one.

    >>> softmax_plus_one([0.0, 0.0])
    array([0.33333333, 0.33333333])
    """
    return evaluate("probabilities", scores, "softmax_plus_one", axis, out, on_domain)
