"""The columns of the scores: where each has its centre, and how far its scores lie from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration.fitted import UnboundedError
from lastlayer.calibration.score_rows import ScoreRows, for_each_block

#: Rounding errors above this share of the spread of a row leave too few digits.
MOST_ROUNDING = 0.01


@dataclass(frozen=True)
class Columns:
    """The mean m (K,) and the variance (K,) of each class's finite scores; the variance of constant scores is 1."""

    mean: np.ndarray
    variance: np.ndarray
    size: float

    def check_digits(self, spread: float, dtype: np.dtype) -> None:
        """Raise UnboundedError where the scores share an offset that rounds away what tells the classes apart.

        A temperature works with the differences within a row. A weight per class multiplies the scores themselves.
        """
        rounding = self.size * float(np.finfo(dtype).eps)
        if rounding > MOST_ROUNDING * (spread or 1.0):
            raise UnboundedError(
                "constant",
                f"The scores have a size of {self.size:.3g} and differ by {spread:.3g} within a row, so {dtype.name} keeps too few "
                "digits for a weight per class; subtract the largest score of each row, or give float64.",
            )


def columns_of(scores: ScoreRows, weights: np.ndarray | None) -> Columns:
    """Mean and variance of the columns, from differences to a first row, which keeps the digits of a common offset."""
    shift = scores.block(0, 1)[0].astype(np.float64)
    shift = np.where(np.isfinite(shift), shift, 0.0)

    def work(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = scores[rows].astype(np.float64)
        is_finite = np.isfinite(x)
        x = np.where(is_finite, x, shift) - shift
        w = np.ones(len(x)) if weights is None else weights[rows]
        return w @ is_finite, w @ x, w @ (x * x)

    parts = for_each_block(scores.n, scores.n_classes, work)
    total, first, second = (np.sum([part[i] for part in parts], axis=0) for i in range(3))
    total = np.where(total > 0, total, 1.0)
    mean = first / total
    variance = second / total - mean * mean
    variance = np.where(variance > 1e-12 * (second / total), variance, 0.0)
    centre = shift + mean
    size = float(np.sqrt(np.max(centre**2 + variance)))
    return Columns(centre, np.where(variance > 0.0, variance, 1.0), size)
