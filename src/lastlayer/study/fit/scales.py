"""Columns whose squares float64 cannot hold, brought into its range by a power of two before they are standardised."""

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
        largest = np.fmax.reduce(np.abs(values), axis=0, initial=0.0)
        _, exponents = np.frexp(largest)
        self.exponents_ = np.where((np.abs(exponents) > SAFE) & (largest > 0), exponents, 0).astype(np.int32)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The columns times 2⁻ᵉ; a test value beyond float64 is held at its largest number."""
        values = np.asarray(X, dtype=np.float64)
        if not self.exponents_.any():
            return values
        with np.errstate(over="ignore", under="ignore"):
            return np.clip(np.ldexp(values, -self.exponents_), -np.finfo(float).max, np.finfo(float).max)
