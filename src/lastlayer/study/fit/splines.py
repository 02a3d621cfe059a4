"""Numbers as cubic B-splines, so that a linear model can bend along each."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import SplineTransformer

#: Columns with fewer distinct values than this stay as they are: a bend needs values between which to bend.
DISTINCT = 10


class SplineColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each column of enough distinct values becomes B-splines of degree 3 on quantile knots, linear beyond the outer ones.

    Columns with fewer, such as 0 and 1, stay one column. Equal quantiles are one knot; with fewer than three the column stays.

    Args:
        n_knots: quantiles, the smallest and largest value among them.
    """

    def __init__(self, n_knots: int = 5) -> None:
        self.n_knots = n_knots

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the knots from numbers X (n, d) without missing values."""
        values = np.asarray(X, dtype=np.float64)
        self.splines_ = [self._spline(values[:, j]) for j in range(values.shape[1])]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The columns in order, splines in the place of those that have them."""
        values = np.asarray(X, dtype=np.float64)
        parts = [
            values[:, [j]] if spline is None else spline.transform(values[:, [j]])
            for j, spline in enumerate(self.splines_)
        ]
        return np.hstack(parts) if parts else values

    @property
    def widths(self) -> list[int]:
        """How many columns each column became."""
        return [1 if spline is None else int(spline.n_features_out_) for spline in self.splines_]

    def _spline(self, column: np.ndarray) -> SplineTransformer | None:
        if np.unique(column).size < DISTINCT:
            return None
        knots = np.unique(np.quantile(column, np.linspace(0, 1, self.n_knots)))
        if knots.size < 3:
            return None
        spline = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="linear", include_bias=False)
        return spline.fit(column[:, None])
