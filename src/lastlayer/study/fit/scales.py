"""Scales of columns: brought into float64's range before they are standardised, and held within limits afterwards."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

#: Columns whose largest absolute value is within 2 to the ± this are left as they are.
SAFE = 200


class PowerOfTwoScaler(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Multiply by 2⁻ᵉ the columns whose largest absolute value in the training rows is far from 1; missing values stay missing.

    Standardising undoes it, and a power of two changes no digit.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn e from numbers X (n, d)."""
        values = np.asarray(X, dtype=np.float64)
        # Two passes instead of a copy of the absolute values.
        highest = np.fmax.reduce(values, axis=0, initial=0.0)
        lowest = np.fmin.reduce(values, axis=0, initial=0.0)
        largest = np.maximum(highest, -lowest)
        _, exponents = np.frexp(largest)
        self.exponents_ = np.where((np.abs(exponents) > SAFE) & (largest > 0), exponents, 0).astype(np.int32)
        # The names that `encoded_counts` reports by.
        self.columns_ = [str(name) for name in getattr(X, "columns", range(values.shape[1]))]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The columns times 2⁻ᵉ; a test value beyond float64 is held at its largest number."""
        values = np.asarray(X, dtype=np.float64)
        if not self.exponents_.any():
            return values
        with np.errstate(over="ignore", under="ignore"):
            return np.clip(np.ldexp(values, -self.exponents_), -np.finfo(float).max, np.finfo(float).max)


class Limiter(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hold numbers within ± `largest`, in contiguous float64: one test value far beyond the training rows must not overflow the scores."""

    def __init__(self, largest: float = 1e100) -> None:
        self.largest = largest

    def fit(self, X: Any, y: Any = None) -> Self:
        """There is nothing to learn."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The numbers within the limits; X itself is changed if it is a float64 array, as the step before made it."""
        values = np.ascontiguousarray(X, dtype=np.float64)
        return np.clip(values, -self.largest, self.largest, out=values)
